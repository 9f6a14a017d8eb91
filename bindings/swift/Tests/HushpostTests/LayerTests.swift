// What the hand-written layer adds, without a relay.

import Foundation
import XCTest

@testable import Hushpost

@MainActor
private func firstState(of client: Client) async throws -> ConnectionState? {
    for try await state in try client.connectionStates() {
        return state
    }
    return nil
}

final class LayerTests: XCTestCase {
    private var folder: TemporaryFolder!

    override func setUpWithError() throws {
        folder = try TemporaryFolder()
    }

    private func config() throws -> Config {
        try Config(database: folder.path("\(UUID().uuidString).db"), key: .generate(), relay: "ws://localhost:4810")
    }

    private func client() async throws -> Client {
        try await Client.open(config: config())
    }

    // MARK: Streams

    func testACancelledTaskEndsItsLoopWithoutAnError() async throws {
        let client = try await client()
        let events = try client.events()
        let reading = Task {
            for try await _ in events {}
            return "ended"
        }
        reading.cancel()
        let end = try await within("the end") { try await reading.value }
        XCTAssertEqual(end, "ended")
        let state = try await first("a state", of: client.connectionStates()) { $0 }
        XCTAssertEqual(state, .offline)
        try await client.shutDown()
    }

    func testCancellingAStreamEndsTheLoopOfAnotherTask() async throws {
        let client = try await client()
        let states = try client.connectionStates()
        let (began, beginning) = AsyncStream<Void>.makeStream()
        let reading = Task {
            for try await _ in states {
                beginning.yield()
            }
        }
        for await _ in began { break }
        states.cancel()
        try await within("the end") { try await reading.value }
        try await client.shutDown()
    }

    func testALoopThatIsLeftEndsItsStreamAndNoOther() async throws {
        let client = try await client()
        let states = try client.connectionStates()
        let others = try client.connectionStates()
        for try await _ in states { break }
        try await within("an end at once") {
            for try await state in states {
                XCTFail("there is another item: \(state)")
            }
        }
        let state = try await first("a state", of: others) { $0 }
        XCTAssertEqual(state, .offline)
        try await client.shutDown()
    }

    func testAStreamThatIsLetGoEndsItsFeed() async throws {
        let client = try await client()
        let feed = try client.eventStream()
        var stream: HushpostStream<Event>? = try HushpostStream(feed)
        XCTAssertFalse(try feed.cancelHandle().isCancelled())
        XCTAssertNotNil(stream)
        stream = nil
        XCTAssertTrue(try feed.cancelHandle().isCancelled())
        try await client.shutDown()
    }

    func testShuttingDownEndsStreams() async throws {
        let client = try await client()
        let events = try client.events()
        let states = try client.connectionStates()
        let list = try client.conversationList()
        let reading = Task {
            for try await _ in events {}
            for try await _ in states {}
            for try await _ in list {}
        }
        try await client.shutDown()
        try await within("the end") { try await reading.value }
    }

    func testALoopOnTheMainActor() async throws {
        let client = try await client()
        let state = try await firstState(of: client)
        XCTAssertEqual(state, .offline)
        try await client.shutDown()
    }

    // MARK: Lists

    func testChangesKeepACopyOfAListEqual() {
        var list: [ConversationSummary] = []
        let changes: [ListChange] = [
            .reset(entries: [summary("a"), summary("b")]),
            .insert(index: 1, entry: summary("c")),
            .update(index: 0, entry: summary("d")),
            .remove(index: 2),
            .insert(index: 2, entry: summary("e")),
        ]
        for change in changes {
            change.apply(to: &list)
        }
        XCTAssertEqual(list.map(\.id), ["d", "c", "e"])
    }

    func testAChangeThatDoesNotFitIsLeftOut() {
        var list = [summary("a")]
        let changes: [ListChange] = [
            .insert(index: 2, entry: summary("b")),
            .update(index: 1, entry: summary("b")),
            .remove(index: .max),
        ]
        for change in changes {
            change.apply(to: &list)
        }
        XCTAssertEqual(list.map(\.id), ["a"])
    }

    private func summary(_ id: ConversationId) -> ConversationSummary {
        ConversationSummary(
            id: id, peer: nil, name: nil, requested: false, lastMessage: nil, preview: "", activity: .now, unread: 0,
            archived: false, mutedUntil: nil, pinned: false, draft: nil
        )
    }

    // MARK: Ranges

    func testRangesOfBytesAndOfStrings() throws {
        let text = "né 👩‍👩‍👧 日本"
        for part in ["n", "é", "👩‍👩‍👧", "日本", text, ""] {
            let range = try XCTUnwrap(text.range(of: part) ?? text.startIndex..<text.startIndex)
            let bytes = TextRange(range, in: text)
            XCTAssertEqual(bytes.range(in: text), range)
            XCTAssertEqual(Int(bytes.end - bytes.start), part.utf8.count)
            let utf16 = try XCTUnwrap(bytes.nsRange(in: text))
            XCTAssertEqual(utf16.length, part.utf16.count)
            XCTAssertEqual(TextRange(utf16, in: text), bytes)
        }
    }

    func testRangesThatAreNoneOfTheText() {
        let text = "né"
        for (start, end) in [(0, 4), (4, 4), (1, 2), (2, 3), (3, 2), (.max, .max), (0, .max)] as [(UInt32, UInt32)] {
            XCTAssertNil(TextRange(start: start, end: end).range(in: text), "\(start)..<\(end)")
        }
        XCTAssertNil(TextRange(NSRange(location: 1, length: 2), in: text))
        XCTAssertNil(TextRange(NSRange(location: NSNotFound, length: 0), in: text))
    }

    // MARK: The rest

    func testEveryKindOfErrorHasItsParts() {
        let all: [HushpostError] = [
            .Invalid(code: "c", reason: "r", retryable: true), .NotFound(code: "c", reason: "r", retryable: true),
            .NotAllowed(code: "c", reason: "r", retryable: true), .Network(code: "c", reason: "r", retryable: true),
            .Refused(code: "c", reason: "r", retryable: true), .Store(code: "c", reason: "r", retryable: true),
            .Media(code: "c", reason: "r", retryable: true), .Cancelled(code: "c", reason: "r", retryable: true),
            .Internal(code: "c", reason: "r", retryable: true),
        ]
        for error in all {
            XCTAssertEqual(error.code, "c")
            XCTAssertEqual(error.reason, "r")
            XCTAssertTrue(error.retryable)
            XCTAssertEqual("\(error)", "r (c)")
            XCTAssertEqual(error.localizedDescription, "r (c)")
        }
    }

    func testASessionIsClosedWhateverHappens() async throws {
        let config = try config()
        let kept = try await Client.withSession(config) { client in
            let account = try await client.accountId()
            XCTAssertNil(account)
            return client
        }
        await refused("closed") { try await kept.accountId() }
        await refused("invalid_input") {
            try await Client.withSession(config) { client in
                _ = try client.conversation(id: "none")
            }
        }
        try await Client.withSession(config) { _ in }
    }

    func testDurationsAsSeconds() {
        XCTAssertEqual(TimeInterval(.milliseconds(1500)), 1.5)
        XCTAssertEqual(TimeInterval(.seconds(-1)), 0)
    }

    func testAFolderForADatabase() async throws {
        let place = folder.url.appendingPathComponent("new/folder", isDirectory: true)
        for _ in 1...2 {
            let made = try DatabaseFolder(at: place)
            XCTAssertEqual(made.database(), place.appendingPathComponent("messages.db").path)
            try await Client.withSession(
                Config(database: made.database("\(UUID()).db"), key: .generate(), relay: "ws://localhost:4810")
            ) { _ in }
        }
    }

    func testNoPrintedFormTellsASecretOrAText() throws {
        let secret = "correct horse"
        let id = "00000000-0000-8000-8000-000000000001"
        let text = Text(
            body: secret, replyTo: Reply(to: MessageRef(sender: id, id: id), excerpt: secret),
            linkPreview: LinkPreview(url: secret, title: secret)
        )
        let records: [Any] = [
            text, Content.text(text: text), Registration.token(token: secret), Registration.inviteCode(code: secret),
            NewGroup(name: secret, description: secret), Poll(question: secret, options: [secret]),
            Location(latitude: 1, longitude: 2, name: secret), ContactCard(name: secret),
            try Config(database: secret, key: .generate(), relay: "wss://relay.example"),
            UploadOptions(fileName: secret), GroupNotice.renamed(name: secret),
            Contact(
                account: id, name: secret, userName: secret, verified: true, changePending: false, blocked: false),
        ]
        for record in records {
            XCTAssertFalse("\(record)".contains(secret), "\(type(of: record))")
            XCTAssertFalse(String(reflecting: record).contains(secret), "\(type(of: record))")
        }
    }

    func testLogLinesReachTheApp() async throws {
        let (lines, line) = AsyncStream<LogLine>.makeStream()
        try setLogSink(sink: Sink(line), level: .trace)
        defer { try? setLogSink(sink: nil, level: .error) }
        let config = try config()
        try await Client.withSession(config) { client in
            try client.connect()
            let got = try await within("a line") {
                for await line in lines { return line }
                throw Hang(what: "a line")
            }
            XCTAssertFalse(got.target.isEmpty)
        }
    }

    private final class Sink: LogSink {
        private let line: AsyncStream<LogLine>.Continuation

        init(_ line: AsyncStream<LogLine>.Continuation) {
            self.line = line
        }

        func log(line: LogLine) throws {
            self.line.yield(line)
        }
    }
}
