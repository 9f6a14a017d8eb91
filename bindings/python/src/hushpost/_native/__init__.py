"""The generated code, its types and the library, side by side. They come with a build; see `setup.py`."""
