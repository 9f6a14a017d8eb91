// Garbage for everything that is exported: it is refused as an error of the library's, or does no harm.
//
// The lists are kept by hand. What takes no argument is called too, on a client that is not registered and on one that
// was shut down. Not here, because generated code stops the process for it: a `TimeInterval` that is negative or no number
// (`TimeInterval(_: Duration)` makes neither).

import Foundation
import Hushpost
import XCTest

/// A call that is to be tried, and its name.
private typealias Call = (name: String, call: () async throws -> Void)

private let texts = [
    "", " ", "garbage", "\u{0}", "../../etc/passwd", "🏴‍☠️", String(repeating: "9", count: 40),
    String(repeating: "ä", count: 70_000), "00000000-0000-0000-0000-000000000000", "%s%n", "' OR 1=1 --",
]
private let numbers: [UInt32] = [0, 1, .max]
private let blobs = [Data(), Data([0]), Data(repeating: 0xff, count: 100_000)]

final class GarbageTests: XCTestCase {
    private var folder: TemporaryFolder!
    private var client: Client!

    override func setUp() async throws {
        folder = try TemporaryFolder()
        client = try await Client.open(
            config: Config(database: folder.path("db"), key: .generate(), relay: "ws://127.0.0.1:1"))
    }

    override func tearDown() async throws {
        try await client.shutDown()
    }

    func testGarbageForAClient() async throws {
        for text in texts {
            let message = MessageRef(sender: text, id: text)
            await tryAll(of: aClient(text, message))
        }
    }

    func testGarbageForConversationsAndGroups() async throws {
        for id in ["garbage", UUID().uuidString.lowercased()] {
            guard let conversation = try? client.conversation(id: id), let group = try? client.group(id: id) else {
                continue
            }
            for text in texts {
                let message = MessageRef(sender: text, id: text)
                await tryAll(of: aConversation(conversation, text, message))
                await tryAll(of: aGroup(group, text))
            }
        }
    }

    func testARecordWithGarbageForAnIdIsPrinted() {
        for text in texts {
            let message = MessageRef(sender: text, id: text)
            let reply = Reply(to: message, excerpt: "the secret")
            let mention = Mention(account: text, range: TextRange(start: 9, end: 2))
            let said = Text(body: "the secret", replyTo: reply, mentions: [mention], linkPreview: nil)
            let card = ContactCard(name: "the secret", account: text, phoneNumbers: [], emailAddresses: [])
            for printed in ["\(said)", "\(reply)", "\(Content.text(text: said))", "\(card)"] {
                XCTAssertFalse(printed.contains("the secret"), printed)
            }
        }
    }

    func testGarbageForFiles() async throws {
        let media = try client.media()
        for text in texts {
            await tryAll(of: [
                ("forget", { try await media.forget(upload: text) }),
                ("resume", { try await self.end(of: media.resume(upload: text)) }),
                (
                    "upload",
                    { try await self.end(of: media.upload(path: text, options: UploadOptions(fileName: text))) }
                ),
                ("upload of a folder", { try await self.end(of: media.upload(file: self.folder.url)) }),
            ])
        }
        await tryAll(of: [
            ("unfinished", { _ = try await media.unfinished() }),
            ("cachedBytes", { _ = try await media.cachedBytes() }),
            ("clear", { try await media.clear() }),
        ])
    }

    private func end(of upload: Upload) async throws {
        _ = try await within("the upload's end") { try await upload.finished() }
    }

    func testGarbageForWhatNeedsNoClient() async throws {
        for text in texts {
            await tryAll(of: [
                ("parse", { _ = try InviteLink.parse(text: text) }),
                ("open", { try await self.open(Config(database: text, key: .generate(), relay: text)) }),
                (
                    "open at a relay",
                    {
                        try await self.open(Config(database: self.folder.path("x"), key: .generate(), relay: text))
                    }
                ),
                (
                    "open at a relay of a name",
                    {
                        try await self.open(
                            Config(
                                database: self.folder.path("y"), key: .generate(), relay: "ws://localhost:4810",
                                relayName: text))
                    }
                ),
                (
                    "processPush",
                    {
                        _ = try await processPush(
                            config: Config(database: self.folder.path("z"), key: .generate(), relay: text),
                            budget: .zero)
                    }
                ),
            ])
        }
        for blob in blobs {
            await refused("invalid_input") { try DatabaseKey.fromBytes(bytes: blob) }
        }
        await tryAll(of: [
            (
                "processPush of nobody",
                {
                    _ = try await processPush(
                        config: Config(database: self.folder.path("n"), key: .generate(), relay: "ws://127.0.0.1:1"),
                        budget: .seconds(1))
                }
            ),
            ("setLogSink", { try setLogSink(sink: nil, level: .trace) }),
        ])
    }

    func testALinkOpensNothingBeforeRegistration() async throws {
        let text =
            "hushpost-group:ASO9MGGALebIwXAhq7H60k55Lmij9kbxfcyVSWCo_K4py9G-XVc10REwc1ldC5G1OtD92NISDoAItNyQXayCfdI"
        let link = try InviteLink.parse(text: text)
        XCTAssertEqual(try link.text(), text)
        XCTAssertEqual(try client.group(id: link.group()).id(), try link.group())
        await refused("not_registered") { try await self.client.joinGroup(link: link) }
    }

    /// A relative path among the garbage must not leave a file in the sources.
    private func open(_ config: Config) async throws {
        guard config.database.hasPrefix("/") || config.database.isEmpty else { return }
        try await Client.withSession(config) { _ in }
    }

    func testEverythingOnAClientThatWasShutDown() async throws {
        let client = try await Client.open(
            config: Config(database: folder.path("closed"), key: .generate(), relay: "ws://127.0.0.1:1"))
        let conversation = try client.conversation(id: UUID().uuidString.lowercased())
        let group = try client.group(id: UUID().uuidString.lowercased())
        try await client.shutDown()
        let open = self.client
        self.client = client
        let message = MessageRef(sender: "s", id: "i")
        await tryAll(of: aClient("text", message))
        await tryAll(of: aConversation(conversation, "text", message))
        await tryAll(of: aGroup(group, "text"))
        self.client = open
    }

    // MARK: The lists

    private func aClient(_ text: String, _ message: MessageRef) -> [Call] {
        let client = client!
        return [
            ("register", { _ = try await client.register(registration: .token(token: text)) }),
            ("register with a code", { _ = try await client.register(registration: .inviteCode(code: text)) }),
            ("accountId", { _ = try await client.accountId() }),
            ("connect", { try client.connect() }),
            ("disconnect", { try await client.disconnect() }),
            ("connectionState", { _ = try client.connectionState() }),
            ("connectionStates", { try client.connectionStates().cancel() }),
            ("events", { try client.events().cancel() }),
            ("conversationList", { try client.conversationList(archived: true).cancel() }),
            (
                "a feed that has ended",
                {
                    let feed = try client.eventStream()
                    try feed.cancelHandle().cancel()
                    for number in numbers {
                        let rest = try await feed.next(atMost: number)
                        XCTAssertTrue(rest.isEmpty)
                    }
                }
            ),
            ("deleteAccount", { try await client.deleteAccount() }),
            ("setUserName", { try await client.setUserName(name: text) }),
            ("userName", { _ = try await client.userName() }),
            ("conversationWith", { _ = try await client.conversationWith(account: text) }),
            ("conversation", { _ = try client.conversation(id: text) }),
            (
                "conversations",
                {
                    for number in numbers {
                        _ = try await client.conversations(archived: false, skip: number, limit: number)
                    }
                }
            ),
            ("unread", { _ = try await client.unread() }),
            ("createGroup", { _ = try await client.createGroup(group: NewGroup(name: text)) }),
            (
                "createGroup of garbage",
                {
                    _ = try await client.createGroup(
                        group: NewGroup(name: text, members: [text], description: text, icon: blobs[2]))
                }
            ),
            ("group", { _ = try client.group(id: text) }),
            ("message", { _ = try await client.message(message: message) }),
            (
                "search",
                {
                    for number in numbers {
                        _ = try await client.search(query: text, skip: number, limit: number)
                    }
                }
            ),
            ("starred", { _ = try await client.starred(before: message, limit: .max) }),
            ("troubles", { _ = try await client.troubles() }),
            ("linkPreview", { _ = try await client.linkPreview(url: text) }),
            ("contacts.get", { _ = try await client.contacts().get(account: text) }),
            ("contacts.list", { _ = try await client.contacts().list() }),
            ("contacts.setName", { try await client.contacts().setName(account: text, name: text) }),
            ("contacts.findByUserName", { _ = try await client.contacts().findByUserName(name: text) }),
            ("contacts.block", { try await client.contacts().block(account: text) }),
            ("contacts.unblock", { try await client.contacts().unblock(account: text) }),
            ("contacts.safetyNumber", { _ = try await client.contacts().safetyNumber(account: text) }),
            ("contacts.setVerified", { try await client.contacts().setVerified(account: text, verified: true) }),
            ("contacts.acceptChange", { try await client.contacts().acceptChange(account: text) }),
        ]
    }

    private func aConversation(_ it: Conversation, _ text: String, _ message: MessageRef) -> [Call] {
        let range = TextRange(start: 1, end: .max)
        let said = Text(
            body: text, replyTo: Reply(to: message, excerpt: text), mentions: [Mention(account: text, range: range)],
            linkPreview: LinkPreview(url: text, title: text, description: text, image: blobs[2]))
        let contents: [Content] = [
            .text(text: said), .attachments(files: [], caption: said), .deleted, .unknown,
            .location(place: Location(latitude: .nan, longitude: .infinity, name: text, address: text)),
            .contactCard(card: ContactCard(name: text, account: text, phoneNumbers: [text], emailAddresses: [text])),
            .poll(poll: Poll(question: text, options: [text])), .groupChange(notice: .renamed(name: text)),
        ]
        return contents.enumerated().map { place, content in
            ("send of content \(place)", { _ = try await it.send(content: content) })
        } + [
            ("id", { _ = try it.id() }),
            ("summary", { _ = try await it.summary() }),
            ("sendText", { _ = try await it.sendText(body: text, replyTo: message) }),
            ("sendAttachments", { _ = try await it.sendAttachments(files: [], caption: said) }),
            ("forward", { _ = try await it.forward(message: message) }),
            ("retry", { try await it.retry(message: message) }),
            ("cancel", { try await it.cancel(message: message) }),
            ("edit", { try await it.edit(message: message, text: said) }),
            ("react", { try await it.react(message: message, emoji: text) }),
            ("vote", { try await it.vote(poll: message, options: numbers) }),
            ("deleteForEveryone", { try await it.deleteForEveryone(message: message) }),
            ("deleteForMe", { try await it.deleteForMe(message: message) }),
            ("star", { try await it.star(message: message, starred: true) }),
            ("pinMessage", { try await it.pinMessage(message: message, pinned: true) }),
            ("messagesBefore", { _ = try await it.messagesBefore(before: text, limit: .max) }),
            ("messagesAfter", { _ = try await it.messagesAfter(after: text, limit: 0) }),
            ("versions", { _ = try await it.versions(message: message) }),
            ("pinnedMessages", { _ = try await it.pinnedMessages() }),
            ("receipts", { _ = try await it.receipts(message: message) }),
            ("media", { _ = try await it.media(before: text, kinds: [], limit: .max) }),
            ("search", { _ = try await it.search(query: text, skip: .max, limit: .max) }),
            ("markRead", { try await it.markRead(through: text) }),
            ("setActivity", { try await it.setActivity(activity: .recording) }),
            ("accept", { try await it.accept() }),
            ("setDraft", { try await it.setDraft(draft: text) }),
            ("setArchived", { try await it.setArchived(archived: true) }),
            ("muteFor", { try await it.muteFor(time: 1e15) }),
            ("setPinned", { try await it.setPinned(pinned: true) }),
            ("setDisappearing", { try await it.setDisappearing(after: 1e15) }),
            ("disappearing", { _ = try await it.disappearing() }),
            ("delete", { try await it.delete() }),
        ]
    }

    private func aGroup(_ it: Group, _ text: String) -> [Call] {
        [
            ("group.id", { _ = try it.id() }),
            ("group.conversation", { _ = try it.conversation() }),
            ("group.info", { _ = try await it.info() }),
            ("group.add", { try await it.add(accounts: [text]) }),
            ("group.add of nobody", { try await it.add(accounts: []) }),
            ("group.remove", { try await it.remove(accounts: [text, text]) }),
            ("group.shareHistory", { _ = try await it.shareHistory(with: text, messages: .max) }),
            ("group.leave", { try await it.leave() }),
            ("group.promote", { try await it.promote(account: text) }),
            ("group.demote", { try await it.demote(account: text) }),
            ("group.setName", { try await it.setName(name: text) }),
            ("group.setDescription", { try await it.setDescription(description: text) }),
            ("group.setIcon", { try await it.setIcon(icon: blobs[2]) }),
            ("group.setSettings", { try await it.setSettings(settings: GroupSettings(disappearing: 1e15)) }),
            ("group.makeInvite", { _ = try await it.makeInvite(goodFor: 1e15, approval: true) }),
            ("group.revokeInvite", { try await it.revokeInvite() }),
            ("group.joinRequests", { _ = try await it.joinRequests() }),
            ("group.refuseJoin", { try await it.refuseJoin(account: text) }),
        ]
    }

    /// Each is refused with an error of the library's that is no fault of it, or does what it can.
    private func tryAll(of calls: [Call], file: StaticString = #filePath, line: UInt = #line) async {
        for (name, call) in calls {
            do {
                try await call()
            } catch let error as HushpostError {
                XCTAssertFalse(error.code.isEmpty, name, file: file, line: line)
                if case .Internal = error {
                    XCTFail("\(name): \(error)", file: file, line: line)
                }
            } catch {
                XCTFail("\(name): an error of another kind: \(error)", file: file, line: line)
            }
        }
    }
}
