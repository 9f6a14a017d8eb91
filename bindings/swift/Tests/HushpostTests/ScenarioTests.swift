// The scenario of SCENARIO.md: one story, told in every language under the same numbers.

import Foundation
import Hushpost
import XCTest

final class ScenarioTests: XCTestCase {
    func testTheScenario() async throws {
        let story = try await Story.begin()
        for (number, step) in story.steps.enumerated() {
            do {
                try await step()
                print("step \(number + 1): done")
            } catch {
                XCTFail("step \(number + 1): \(error)")
                // What follows builds on it.
                return
            }
        }
        try await story.end()
    }
}

/// Who plays, and what they have in common.
final class Story {
    let stage: StageProgram
    var alice: Person
    var bob: Person

    static func begin() async throws -> Story {
        let stage = try await StageProgram.start()
        return try await Story(
            stage: stage,
            alice: .register("Alice", at: stage),
            bob: .register("Bob", at: stage)
        )
    }

    private init(stage: StageProgram, alice: Person, bob: Person) {
        self.stage = stage
        self.alice = alice
        self.bob = bob
    }

    func end() async throws {
        try await alice.client.shutDown()
        try await bob.client.shutDown()
    }

    var steps: [() async throws -> Void] {
        [
            twoRegister, oneToOneWithTicks, offline, aRelayThatDies, aUserOfAnotherLanguage, aGroupWithARemoval,
            anAttachment, search, typing, aKeyChanges, whatGoesWrong, fiveHundredAtOnce,
            aSubscriptionCancelledInTheMiddle, aPush,
        ]
    }

    // 1
    func twoRegister() async throws {
        let before = try await alice.account()
        let other = try await bob.account()
        XCTAssertNotEqual(before, other)
        XCTAssertEqual(try alice.client.connectionState(), .online)
        XCTAssertEqual(try bob.client.connectionState(), .online)
        try await alice.client.shutDown()
        alice = try await alice.opened()
        let after = try await alice.account()
        XCTAssertEqual(before, after)
        try alice.client.connect()
        try await alice.untilOnline()
    }

    // 2
    func oneToOneWithTicks() async throws {
        let hers = try await alice.conversation(with: bob)
        let sent = try await hers.sendText(body: "Hello, Bob")
        let shown = try await bob.untilShown(sent)
        XCTAssertEqual(shown.body, "Hello, Bob")
        XCTAssertFalse(shown.isOwn)
        try await alice.untilState(.sent, of: sent)
        // By its id: `conversationWith` would open it, and there would be no request.
        let his = try bob.client.conversation(id: shown.conversation)
        let request = try await his.summary()
        XCTAssertTrue(request.requested)
        XCTAssertEqual(request.unread, 1)
        // A stranger gets no receipts, so the message is not delivered before this.
        try await his.accept()
        try await alice.untilState(.delivered, of: sent)
        try await his.markRead(through: shown.cursor)
        try await alice.untilState(.read, of: sent)
        let answered = try await his.summary()
        XCTAssertFalse(answered.requested)
        XCTAssertEqual(answered.unread, 0)
    }

    // 3
    func offline() async throws {
        try await bob.client.disconnect()
        let hers = try await alice.conversation(with: bob)
        var sent: [MessageRef] = []
        for number in 1...3 {
            sent.append(try await hers.sendText(body: "while you were out \(number)"))
        }
        for message in sent {
            try await alice.untilState(.sent, of: message)
        }
        try bob.client.connect()
        for message in sent {
            _ = try await bob.untilShown(message)
            try await alice.untilState(.delivered, of: message)
        }
        let his = try await bob.conversation(with: alice)
        let heard = try await history(of: his).filter { sent.contains($0.id) }
        XCTAssertEqual(heard.map(\.id), sent)
    }

    // 4
    func aRelayThatDies() async throws {
        try await stage.perform("kill")
        let hers = try await alice.conversation(with: bob)
        let sent = try await hers.sendText(body: "are you still there?")
        let queued = try await alice.untilShown(sent)
        XCTAssertEqual(queued.state, .queued)
        let again = try await alice.untilConnection("waiting") { state in
            if case let .waiting(retryIn) = state { retryIn } else { nil }
        }
        XCTAssertGreaterThan(again, 0)
        try await stage.perform("start")
        try await alice.untilOnline()
        try await bob.untilOnline()
        _ = try await bob.untilShown(sent)
        try await alice.untilState(.delivered, of: sent)
    }

    // 5
    func aUserOfAnotherLanguage() async throws {
        let conversation = try await alice.client.conversationWith(account: stage.rustUser)
        _ = try await conversation.sendText(body: "Hello from Swift")
        let echo = try await alice.untilHeard("echo: Hello from Swift", in: conversation)
        XCTAssertEqual(echo.id.sender, stage.rustUser)
        guard case let .text(text) = echo.content else { return XCTFail("this is no text: \(echo.content)") }
        XCTAssertNil(text.replyTo)
    }

    // 6
    func aGroupWithARemoval() async throws {
        let bobsAccount = try await bob.account()
        let group = try await alice.client.createGroup(
            group: NewGroup(name: "Three languages", members: [bobsAccount, stage.rustUser])
        )
        let hers = try group.conversation()
        let his = try bob.client.conversation(id: group.id())

        let sent = try await hers.sendText(body: "Alice speaks")
        _ = try await bob.untilShown(sent)
        _ = try await alice.untilHeard("echo: Alice speaks", in: hers)
        _ = try await bob.untilHeard("echo: Alice speaks", in: his)
        _ = try await his.sendText(body: "Bob speaks")
        _ = try await alice.untilHeard("Bob speaks", in: hers)
        _ = try await alice.untilHeard("echo: Bob speaks", in: hers)
        _ = try await bob.untilHeard("echo: Bob speaks", in: his)

        try await group.remove(accounts: [bobsAccount])
        let bobsGroup = try bob.client.group(id: group.id())
        _ = try await bob.until("that he is out of the group") {
            try await bobsGroup.info().members.isEmpty ? true : nil
        }
        _ = try await hers.sendText(body: "not for Bob")
        _ = try await alice.untilHeard("echo: not for Bob", in: hers)
        // What is sent to him later has come: so would have that.
        let later = try await alice.conversation(with: bob).sendText(body: "for Bob")
        _ = try await bob.untilShown(later)
        let heard = try await history(of: his).compactMap(\.body)
        XCTAssertFalse(heard.contains { $0.hasSuffix("not for Bob") })
        await refused("not_a_member") { try await his.sendText(body: "let me in") }
    }
}
