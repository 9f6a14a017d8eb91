// Steps 7 to 9 of the scenario.

import Foundation
import Hushpost
import XCTest

extension Story {
    // 7
    func anAttachment() async throws {
        try await aFileArrives()
        try await anUploadIsCancelled()
    }

    private func aFileArrives() async throws {
        let bytes = Data((0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        let source = alice.folder.url.appendingPathComponent("report.bin")
        try bytes.write(to: source)

        let upload = try alice.client.media().upload(file: source)
        let steps = try await all(of: upload.progress())
        let file = try await within("the upload") { try await upload.finished() }
        try assertRises(steps, to: UInt64(bytes.count))
        let hers = try await alice.conversation(with: bob)
        let sent = try await hers.sendAttachments(files: [file])

        let shown = try await bob.untilShown(sent)
        guard case let .attachments(files, _) = shown.content, let received = files.first else {
            return XCTFail("there is no file: \(shown.content)")
        }
        XCTAssertEqual(received.fileName, "report.bin")
        XCTAssertEqual(received.size, UInt64(bytes.count))
        let media = try bob.client.media()
        let download = try media.download(file: received.file)
        let fetched = try await all(of: download.progress())
        try await within("the download") { try await download.finished() }
        try assertRises(fetched, to: UInt64(bytes.count))
        let copy = bob.folder.url.appendingPathComponent("copy.bin")
        try await media.save(file: received.file, to: copy)
        XCTAssertEqual(try Data(contentsOf: copy), bytes)

        let isHere = try await media.isCached(file: received.file)
        XCTAssertTrue(isHere)
        let part = try await media.readRange(file: received.file, start: 1_000_000, length: 1_000)
        XCTAssertEqual(part, bytes[1_000_000..<1_001_000])
        for (start, length) in [(0, 0), (.max, .max), (3 << 20, 1), (0, .max)] as [(UInt64, UInt64)] {
            await refused("invalid_input") {
                try await media.readRange(file: received.file, start: start, length: length)
            }
        }
    }

    private func anUploadIsCancelled() async throws {
        let source = alice.folder.url.appendingPathComponent("long.bin")
        try Data(count: 48 << 20).write(to: source)
        let media = try alice.client.media()
        let upload = try media.upload(file: source)
        _ = try await first("bytes on their way", of: upload.progress()) { $0.stage == .transferring ? true : nil }
        try upload.cancelHandle().cancel()
        let error = await refused("media_cancelled") {
            try await within("the upload's end") { try await upload.finished() }
        }
        guard case .Cancelled = error else { return XCTFail("another kind: \(String(describing: error))") }
        let unfinished = try await media.unfinished()
        XCTAssertEqual(unfinished.map(\.fileName), ["long.bin"])
        for upload in unfinished {
            try await media.forget(upload: upload.id)
        }
        let rest = try await media.unfinished()
        XCTAssertTrue(rest.isEmpty)
    }

    private func all(of progress: HushpostStream<Hushpost.Progress>) async throws -> [Hushpost.Progress] {
        try await within("the end of a stream of progress") {
            var steps: [Hushpost.Progress] = []
            for try await step in progress {
                steps.append(step)
            }
            return steps
        }
    }

    /// The bytes on the wire are a little more than the file's: they are encrypted and padded.
    private func assertRises(_ steps: [Hushpost.Progress], to size: UInt64) throws {
        let moving = steps.filter { $0.stage == .transferring }.map(\.done)
        XCTAssertEqual(moving, moving.sorted())
        let last = try XCTUnwrap(steps.last)
        XCTAssertEqual(last.stage, .ended)
        XCTAssertEqual(last.done, last.total)
        XCTAssertGreaterThanOrEqual(last.total, size)
    }

    // 8
    func search() async throws {
        let hers = try await alice.conversation(with: bob)
        let sent = try await hers.sendText(body: "Bring the 🍇 and the marmalade, please")
        _ = try await bob.untilShown(sent)
        let hits = try await bob.client.search(query: "marmalade", skip: 0, limit: 10)
        XCTAssertEqual(hits.map(\.message.id), [sent])
        let hit = try XCTUnwrap(hits.first)
        let body = try XCTUnwrap(hit.message.body)
        let marked = hit.highlights.compactMap { $0.range(in: body) }.map { String(body[$0]) }
        XCTAssertEqual(marked, ["marmalade"])
        let none = try await bob.client.search(query: "zeppelin", skip: 0, limit: 10)
        XCTAssertTrue(none.isEmpty)
    }

    // 9
    func typing() async throws {
        let events = try bob.client.events()
        let alicesAccount = try await alice.account()
        let conversation = try await alice.conversation(with: bob)
        try await conversation.setActivity(activity: .typing)
        let place = try await first("that Alice is typing", of: events) { event in
            if case let .typing(place, account, .typing) = event, account == alicesAccount { place } else { nil }
        }
        XCTAssertEqual(place, try conversation.id())
    }
}
