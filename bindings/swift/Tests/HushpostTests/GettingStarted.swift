// The code of the getting-started page, as it stands there. `check-pages` compares; the tests below run it.

import Foundation
import Hushpost
import XCTest

#if canImport(Security)
private func appConfig() throws -> Config {
    // page: app
    let group = "group.com.example.chat"
    let folder = try DatabaseFolder(appGroup: group)
    let config = Config(
        database: folder.database(),
        key: try .keychain(account: "main", accessGroup: "TEAMID.com.example.chat.shared"),
        relay: "wss://relay.example",
        manyProcesses: true  // the notification extension opens the same database
    )
    // page end
    return config
}
#endif

private func states(of client: Client) async throws {
    // page: states
    for try await state in try client.connectionStates() {
        switch state {
        case .online: print("online")
        case let .waiting(retryIn): print("trying again in \(retryIn) s")
        case let .refused(code): print("the relay does not take this account: \(code)")
        default: print("not connected yet")
        }
    }
    // page end
}

private func list(of client: Client) async throws {
    // page: list
    var list: [ConversationSummary] = []
    for try await change in try client.conversationList() {
        change.apply(to: &list)
        for entry in list {
            print(entry.name ?? entry.peer ?? "?", entry.preview, entry.unread)
        }
    }
    // page end
}

private func recent(_ conversation: Conversation) async throws -> [Message] {
    // page: history
    let page = try await conversation.messagesBefore(before: nil, limit: 50)
    for message in page.messages {  // oldest first
        print(message.sent, message.body ?? "", message.state)
    }
    if page.more, let oldest = page.messages.first {
        let earlier = try await conversation.messagesBefore(before: oldest.cursor, limit: 50)
        print("and \(earlier.messages.count) before them")
    }
    if let newest = page.messages.last {
        try await conversation.markRead(through: newest.cursor)
    }
    // page end
    return page.messages
}

private func find(_ client: Client) async throws -> [String] {
    // page: search
    var found: [String] = []
    for hit in try await client.search(query: "marmalade", skip: 0, limit: 20) {
        guard let body = hit.message.body else { continue }
        // The core counts bytes of UTF-8; `range(in:)` and `nsRange(in:)` give what Swift counts in.
        found += hit.highlights.compactMap { $0.range(in: body) }.map { String(body[$0]) }
    }
    // page end
    return found
}

private func aGroup(_ client: Client, _ bob: AccountId, _ carol: AccountId) async throws -> Hushpost.Group {
    // page: group
    let group = try await client.createGroup(group: NewGroup(name: "Weekend", members: [bob, carol]))
    _ = try await group.conversation().sendText(body: "Who is in?")
    try await group.promote(account: bob)
    try await group.remove(accounts: [carol])  // Carol reads nothing that is said from now on

    let link = try await group.makeInvite(goodFor: TimeInterval(.seconds(86_400)), approval: false)
    print("join with \(try link.text())")
    // page end
    return group
}

private func sendFile(_ client: Client, _ conversation: Conversation, _ picture: URL) async throws -> MessageRef {
    // page: upload
    let upload = try client.media().upload(file: picture)
    for try await progress in try upload.progress() {
        print("\(progress.stage): \(progress.done) of \(progress.total)")
    }
    let file = try await upload.finished()
    let sent = try await conversation.sendAttachments(files: [file], caption: Text(body: "The lake"))
    // page end
    return sent
}

private func saveFile(_ client: Client, _ message: Message, _ place: URL) async throws {
    // page: download
    if case let .attachments(files, _) = message.content, let file = files.first {
        print(file.fileName, file.mime, file.size)  // as its sender says
        let download = try client.media().download(file: file.file)
        for try await progress in try download.progress() {
            print("\(progress.done) of \(progress.total)")
        }
        try await download.finished()
        try await client.media().save(file: file.file, to: place)
    }
    // page end
}

private func trySending(_ conversation: Conversation, _ client: Client, _ peer: AccountId) async -> String {
    // page: errors
    do {
        _ = try await conversation.sendText(body: "")
        return "sent"
    } catch HushpostError.NotAllowed("verification_needed", _, _) {
        return "their devices changed: compare the safety number, then call acceptChange"
    } catch let error as HushpostError where error.retryable {
        return "try again later"
    } catch let error as HushpostError {
        return "\(error.code): \(error.reason)"
    } catch {
        return "not of this library: \(error)"
    }
    // page end
}

private func pushed(_ config: Config) async throws -> PushResult {
    // page: push
    let result = try await processPush(config: config, budget: .seconds(20))
    for new in result.messages {
        print(new.title ?? "somebody", new.preview)
    }
    if result.end == .outOfTime {
        print("you may have more messages")
    }
    // page end
    return result
}

final class GettingStartedTests: XCTestCase {
    func testThePagesCodeWorks() async throws {
        let stage = try await StageProgram.start()
        let alice = try await Person.register("Alice", at: stage)
        let bob = try await Person.register("Bob", at: stage)
        let conversation = try await alice.conversation(with: bob)

        let sent = try await conversation.sendText(body: "marmalade")
        _ = try await bob.untilShown(sent)
        let said = try await recent(conversation)
        XCTAssertEqual(said.map(\.id), [sent])
        let found = try await find(alice.client)
        XCTAssertEqual(found, ["marmalade"])
        let refusal = await trySending(conversation, alice.client, stage.rustUser)
        XCTAssertTrue(refusal.hasPrefix("invalid_content"), refusal)

        let group = try await aGroup(alice.client, bob.account(), stage.rustUser)
        let members = try await group.info().members.count
        XCTAssertEqual(members, 2)

        let picture = alice.folder.url.appendingPathComponent("lake.txt")
        try Data("not really a picture".utf8).write(to: picture)
        let file = try await within("a file") { try await sendFile(alice.client, conversation, picture) }
        let received = try await bob.untilShown(file)
        let copy = bob.folder.url.appendingPathComponent("copy.txt")
        try await within("the file") { try await saveFile(bob.client, received, copy) }
        XCTAssertEqual(try Data(contentsOf: copy), try Data(contentsOf: picture))

        let client = bob.client
        let watching = [Task { try await states(of: client) }, Task { try await list(of: client) }]
        try await bob.client.shutDown()
        for task in watching {
            try await within("the end of a stream") { try await task.value }
        }
        let result = try await pushed(bob.config)
        XCTAssertEqual(result.end, .caughtUp)
        try await alice.client.shutDown()
    }
}
