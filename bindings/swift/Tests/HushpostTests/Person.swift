// Somebody who uses an app.

import Foundation
import Hushpost

/// A client with a database of its own.
struct Person: Sendable {
    let name: String
    let folder: TemporaryFolder
    let config: Config
    let client: Client

    /// Opens a database, registers, connects, and waits until everything is here.
    static func register(_ name: String, at stage: StageProgram) async throws -> Person {
        let folder = try TemporaryFolder()
        let config = Config(
            database: folder.path("\(name).db"),
            key: try DatabaseKey.generate(),
            relay: stage.relay,
            relayName: stage.relayName,
            manyProcesses: true
        )
        let client = try await within("the database") { try await Client.open(config: config) }
        let person = Person(name: name, folder: folder, config: config, client: client)
        _ = try await within("an account") { try await client.register(registration: .open) }
        try client.connect()
        try await person.untilOnline()
        return person
    }

    /// The same person, after the app was started again.
    func opened() async throws -> Person {
        let config = config
        let client = try await within("the database") { try await Client.open(config: config) }
        return Person(name: name, folder: folder, config: config, client: client)
    }

    func account() async throws -> AccountId {
        guard let account = try await client.accountId() else {
            throw Hang(what: "\(name)'s account")
        }
        return account
    }

    /// Waits until something can be seen in the database, looking again after every event.
    func until<Found: Sendable>(
        _ what: String,
        _ look: @escaping @Sendable () async throws -> Found?
    ) async throws -> Found {
        let events = try client.events()
        if let found = try await look() {
            return found
        }
        return try await first("\(what), as \(name) sees it", of: events) { _ in try await look() }
    }

    func untilOnline() async throws {
        _ = try await untilConnection("online") { $0 == .online ? true : nil }
    }

    func untilConnection<Found: Sendable>(
        _ what: String,
        _ look: @escaping @Sendable (ConnectionState) -> Found?
    ) async throws -> Found {
        try await first("\(name) to be \(what)", of: client.connectionStates()) { look($0) }
    }

    func untilState(_ state: MessageState, of message: MessageRef) async throws {
        let client = client
        _ = try await until("a message that is \(state)") {
            try await client.message(message: message)?.state == state ? true : nil
        }
    }

    /// Waits until a message is shown, and gives it.
    func untilShown(_ message: MessageRef) async throws -> Message {
        let client = client
        return try await until("a message") { try await client.message(message: message) }
    }

    /// Waits until a conversation has a text of somebody else's, and gives the message.
    func untilHeard(_ body: String, in conversation: Conversation) async throws -> Message {
        try await until("the text \(body)") {
            try await history(of: conversation).last { !$0.isOwn && $0.body == body }
        }
    }

    func conversation(with other: Person) async throws -> Conversation {
        try await client.conversationWith(account: other.account())
    }
}

/// All messages of a conversation, oldest first.
func history(of conversation: Conversation) async throws -> [Message] {
    var all: [Message] = []
    var place: Cursor?
    while true {
        let page = try await conversation.messagesAfter(after: place, limit: 500)
        all += page.messages
        place = page.messages.last?.cursor ?? place
        if !page.more || page.messages.isEmpty {
            return all
        }
    }
}
