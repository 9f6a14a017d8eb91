// The sample app's state, without its views: two users, a relay, a message.

import Foundation
import Hushpost
import Observation
import XCTest

@testable import SampleModel

@available(iOS 17, macOS 14, *)
final class SampleTests: XCTestCase {
    func testAChatBetweenTwoApps() async throws {
        let stage = try await StageProgram.start()
        try await chat(at: stage)
    }
}

/// What the views do, in their order.
@available(iOS 17, macOS 14, *)
@MainActor
private func chat(at stage: StageProgram) async throws {
    let (alicesFolder, bobsFolder) = (try TemporaryFolder(), try TemporaryFolder())
    let (alice, bob) = (ChatStore(), ChatStore())
    await alice.start(config: try config(in: alicesFolder, at: stage))
    await bob.start(config: try config(in: bobsFolder, at: stage))
    XCTAssertNil(alice.problem)
    try await until("both are online") { alice.connection == .online && bob.connection == .online }

    let nobody = await alice.open(with: "garbage")
    XCTAssertNil(nobody)
    XCTAssertNotNil(alice.problem)
    let id = try await unwrap(alice.open(with: try unwrap(bob.account)))
    let hers = try unwrap(alice.chat(id))
    let watching = Task { await hers.follow() }
    hers.draft = "Hello from a sample"
    await hers.send()
    XCTAssertNil(hers.problem)
    XCTAssertEqual(hers.draft, "")

    try await until("Bob's list has it") { bob.conversations.first?.preview == "Hello from a sample" }
    let his = try unwrap(bob.chat(id))
    let reading = Task { await his.follow() }
    try await until("it is a request") { his.requested && his.messages.count == 1 }
    await his.accept()
    try await until("she sees that he read it") { hers.messages.last?.state == .read }
    await hers.typed()
    try await until("he sees that she is typing") { his.isTyping }
    hers.draft = " "
    await hers.send()
    XCTAssertEqual(hers.draft, " ")
    XCTAssertNotNil(hers.problem)

    await alice.enterBackground()
    try await until("she is offline") { alice.connection == .offline }
    alice.enterForeground()
    try await until("she is online again") { alice.connection == .online }
    await alice.stop()
    await bob.stop()
    await watching.value
    await reading.value
}

private func config(in folder: TemporaryFolder, at stage: StageProgram) throws -> Config {
    try Config(database: folder.path("db"), key: .generate(), relay: stage.relay, relayName: stage.relayName)
}

private func unwrap<Value>(_ value: Value?) throws -> Value {
    try XCTUnwrap(value)
}

/// Waits until observed state is as it should be.
@available(iOS 17, macOS 14, *)
@MainActor
private func until(_ what: String, _ isSo: @escaping @MainActor () -> Bool) async throws {
    try await within(what) { @MainActor in
        while true {
            let (changes, change) = AsyncStream<Void>.makeStream()
            // Told before the change is made; when this goes on, on the main actor, it is made.
            if withObservationTracking({ isSo() }, onChange: { change.yield() }) { return }
            for await _ in changes { break }
            try Task.checkCancellation()
        }
    }
}
