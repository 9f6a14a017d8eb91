"""Files, with progress as streams and paths of any kind."""

from __future__ import annotations

import os

from hushpost._native import hushpost as native
from hushpost._objects import adopt
from hushpost._streams import Stream


class Upload(native.Upload):
    """An upload that runs. It goes on when this is let go."""

    def progress(self) -> Stream[native.Progress]:
        """How far it is, now and whenever that changes; ends with it."""
        return Stream(self.progress_stream())


class Download(native.Download):
    """A download that runs. It goes on when this is let go."""

    def progress(self) -> Stream[native.Progress]:
        """How far it is, now and whenever that changes; ends with it."""
        return Stream(self.progress_stream())


class Media(native.Media):
    """The files of a client: uploading, fetching, saving. Files are named by path and never held in memory."""

    def upload(self, path: str | os.PathLike[str], options: native.UploadOptions | None = None) -> Upload:
        """Encrypts a file and brings it to the relay, in the background.

        From the moment it is encrypted it is among the unfinished uploads until a message has it, whatever happens to
        this process. Needs a connection, and waits for one. That the file cannot be read shows in `finished`.
        """
        return adopt(Upload, super().upload(os.fspath(path), options or native.UploadOptions()))

    def resume(self, upload: native.UploadId) -> Upload:
        """Goes on with an upload of an earlier process, or one that failed.

        Of one that is at the relay it gives the attachment. That there is no such upload shows in `finished`.
        """
        return adopt(Upload, super().resume(upload))

    def download(self, file: native.FileRef) -> Download:
        """Fetches a file, checks it and keeps it, encrypted, in the background. What is here is not fetched again."""
        return adopt(Download, super().download(file))

    async def save(self, file: native.FileRef, path: str | os.PathLike[str]) -> None:
        """Fetches a file, unless it is here, and writes it, decrypted, to a path.

        The path has either the whole file or what it had before. Errors: `Media`, `Store`.
        """
        await super().save(file, os.fspath(path))
