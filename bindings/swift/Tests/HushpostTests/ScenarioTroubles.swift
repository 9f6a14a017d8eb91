// Steps 10 to 14 of the scenario.

import Foundation
import Hushpost
import XCTest

extension Story {
    // 10
    func aKeyChanges() async throws {
        let rust = stage.rustUser
        let contacts = try alice.client.contacts()
        let number = try await contacts.safetyNumber(account: rust)
        XCTAssertEqual(try number.digits().filter(\.isNumber).count, 60)
        let hers = try await contacts.safetyNumber(account: bob.account())
        let his = try await bob.client.contacts().safetyNumber(account: alice.account())
        XCTAssertEqual(try hers.digits(), try his.digits())
        XCTAssertTrue(try hers.matchesScanned(scanned: his.qrPayload()))
        XCTAssertFalse(try number.matchesScanned(scanned: his.qrPayload()))
        for scanned in [Data(), Data("garbage".utf8), Data(count: 100_000)] {
            XCTAssertThrowsError(try number.matchesScanned(scanned: scanned)) { error in
                guard case HushpostError.Refused = error else { return XCTFail("another kind: \(error)") }
            }
        }
        try await contacts.setVerified(account: rust, verified: true)

        let events = try alice.client.events()
        try await stage.perform("renew")
        let renewed = try await first("that devices changed", of: events) { event in
            if case let .devicesChanged(account, _, _, renewed) = event, account == rust { renewed } else { nil }
        }
        XCTAssertFalse(renewed.isEmpty)
        let conversation = try await alice.client.conversationWith(account: rust)
        let error = await refused("verification_needed") { try await conversation.sendText(body: "is that you?") }
        guard case .NotAllowed = error else { return XCTFail("another kind: \(String(describing: error))") }
        let pending = try await contacts.get(account: rust)
        XCTAssertEqual(pending?.changePending, true)

        try await contacts.acceptChange(account: rust)
        _ = try await conversation.sendText(body: "it is you")
        _ = try await alice.untilHeard("echo: it is you", in: conversation)
    }

    // 11
    func whatGoesWrong() async throws {
        let conversation = try await alice.conversation(with: bob)
        let client = alice.client
        let before = try await history(of: conversation).map(\.id)

        try await aWrongKeyAndAClosedClient()
        try await aRelayThatNobodyAnswersAt()
        await refused("invalid_input") { try client.conversation(id: "garbage") }
        await refused("invalid_input") { try await client.conversationWith(account: "garbage") }
        await refused("invalid_input") { try await conversation.messagesBefore(before: "garbage", limit: 10) }
        await refused("invalid_input") {
            try await Client.open(
                config: Config(database: self.alice.folder.path("x.db"), key: .generate(), relay: "garbage"))
        }
        await refused("invalid_input") { try InviteLink.parse(text: "garbage") }
        await refused("invalid_content") { try await conversation.sendText(body: " ") }
        let upload = try client.media().upload(path: alice.folder.path("missing.bin"), options: UploadOptions())
        let error = await refused("media_file") {
            try await within("the upload's end") { try await upload.finished() }
        }
        guard case .Media = error else { return XCTFail("another kind: \(String(describing: error))") }

        let after = try await history(of: conversation).map(\.id)
        XCTAssertEqual(before, after)
    }

    private func aWrongKeyAndAClosedClient() async throws {
        let folder = try TemporaryFolder()
        let (path, relay) = (folder.path("db"), stage.relay)
        let config = try Config(database: path, key: .generate(), relay: relay, relayName: stage.relayName)
        let client = try await Client.open(config: config)
        try await client.shutDown()
        let closed = await refused("closed") { try await client.accountId() }
        guard case .Store = closed else { return XCTFail("another kind: \(String(describing: closed))") }

        let wrong = await refused("wrong_key") {
            try await Client.open(config: Config(database: path, key: .generate(), relay: relay))
        }
        guard case .Store(_, _, retryable: false) = wrong else {
            return XCTFail("another kind: \(String(describing: wrong))")
        }
        try await Client.withSession(config) { client in
            let account = try await client.accountId()
            XCTAssertNil(account)
        }
    }

    private func aRelayThatNobodyAnswersAt() async throws {
        let folder = try TemporaryFolder()
        // Nobody listens at port 1.
        let config = try Config(database: folder.path("db"), key: .generate(), relay: "ws://127.0.0.1:1")
        try await Client.withSession(config) { client in
            let error = await refused("not_connected") {
                try await within("an answer") { try await client.register(registration: .open) }
            }
            guard case .Network(_, _, retryable: true) = error else {
                return XCTFail("another kind: \(String(describing: error))")
            }
        }
    }

    // 12
    func fiveHundredAtOnce() async throws {
        let hers = try await alice.conversation(with: bob)
        let his = try await bob.conversation(with: alice)
        let sent = try await within("500 calls") {
            try await withThrowingTaskGroup(of: MessageRef.self) { group in
                for number in 0..<500 {
                    group.addTask { try await hers.sendText(body: "one of many: \(number)") }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        XCTAssertEqual(Set(sent).count, 500)
        for message in sent {
            _ = try await bob.untilShown(message)
        }
        let many = try await history(of: his).filter { $0.body?.hasPrefix("one of many: ") == true }
        XCTAssertEqual(many.count, 500)
        XCTAssertEqual(Set(many.map(\.id)), Set(sent))
        XCTAssertEqual(Set(many.compactMap(\.body)).count, 500)
    }

    // 13
    func aSubscriptionCancelledInTheMiddle() async throws {
        let events = try alice.client.events()
        let conversation = try await alice.conversation(with: bob)
        let (firstSeen, seen) = AsyncStream<Void>.makeStream()
        let reading = Task {
            for try await _ in events {
                seen.yield()
            }
        }
        _ = try await conversation.sendText(body: "something happens")
        for await _ in firstSeen { break }
        // It waits for the next event now, or is about to.
        reading.cancel()
        try await within("the end of a cancelled loop") { try await reading.value }

        let again = try alice.client.events()
        let sent = try await conversation.sendText(body: "and again")
        try await first("a new stream's event", of: again) { event in
            if case let .messageAdded(_, message) = event, message == sent { () } else { nil }
        }
        _ = try await bob.untilShown(sent)
    }

    // 14
    func aPush() async throws {
        let name = "Alice Liddell"
        let hers = try await alice.conversation(with: bob)
        try await bob.client.contacts().setName(account: alice.account(), name: name)
        try await bob.client.shutDown()
        var sent: [MessageRef] = []
        for number in 1...2 {
            sent.append(try await hers.sendText(body: "a push brings \(number)"))
        }
        for message in sent {
            try await alice.untilState(.sent, of: message)
        }
        let config = bob.config
        let result = try await within("what a push brings") {
            try await processPush(config: config, budget: .seconds(20))
        }
        XCTAssertEqual(result.end, .caughtUp)
        XCTAssertEqual(result.messages.map(\.message.id), sent)
        XCTAssertEqual(result.messages.map(\.preview), ["a push brings 1", "a push brings 2"])
        XCTAssertEqual(result.messages.map(\.title), [name, name])
        XCTAssertGreaterThanOrEqual(result.unread, 2)

        bob = try await bob.opened()
        try bob.client.connect()
        try await bob.untilOnline()
        let his = try await bob.conversation(with: alice)
        let heard = try await history(of: his).filter { sent.contains($0.id) }
        XCTAssertEqual(heard.map(\.id), sent)
    }
}
