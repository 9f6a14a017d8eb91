// The app's state: the client, whether it is connected, and the list of conversations.

import Foundation
import Hushpost
import Observation

/// One for the app. It holds the client, and follows what it says on the main actor.
@available(iOS 17, macOS 14, *)
@MainActor
@Observable
final class ChatStore {
    private(set) var account: AccountId?
    private(set) var connection: ConnectionState = .offline
    private(set) var conversations: [ConversationSummary] = []
    /// What to tell the user; none: all is well.
    private(set) var problem: String?

    private var client: Client?
    private var following: [Task<Void, Never>] = []

    /// Opens the database, registers if need be, and connects. May be called again after a failure.
    func start(config: Config) async {
        do {
            problem = nil
            let client = try await openClient(config)
            // Offline, an account that was made before is enough.
            if let known = try await client.accountId() {
                account = known
            } else {
                account = try await client.register(registration: .open)
            }
            try client.connect()
        } catch {
            problem = describe(error)
        }
    }

    private func openClient(_ config: Config) async throws -> Client {
        if let client { return client }
        let client = try await Client.open(config: config)
        self.client = client
        let states = try client.connectionStates()
        let changes = try client.conversationList()
        following = [
            follow(states) { $0.connection = $1 },
            follow(changes) { $1.apply(to: &$0.conversations) },
        ]
        return client
    }

    private func follow<Item: Sendable>(
        _ stream: HushpostStream<Item>,
        _ take: @escaping @MainActor (ChatStore, Item) -> Void
    ) -> Task<Void, Never> {
        Task { [weak self] in
            do {
                for try await item in stream {
                    guard let self else { return }
                    take(self, item)
                }
            } catch {
                self?.problem = describe(error)
            }
        }
    }

    /// Says what kept the app from starting.
    func fail(_ error: any Error) {
        problem = describe(error)
    }

    /// The app came to the front: a connection is tried at once.
    func enterForeground() {
        try? client?.connect()
    }

    /// The app leaves the front. What was accepted is on the disk, and goes on with the next connection.
    func enterBackground() async {
        try? await client?.disconnect()
    }

    /// Ends everything, in a test or when the user signs out.
    func stop() async {
        try? await client?.shutDown()
        client = nil
        following.forEach { $0.cancel() }
        following = []
    }

    /// The conversation with somebody whose account id was typed or scanned; none if it is no such id.
    func open(with account: AccountId) async -> ConversationId? {
        do {
            problem = nil
            return try await client?.conversationWith(account: account).id()
        } catch {
            problem = describe(error)
            return nil
        }
    }

    /// What a screen for one conversation needs.
    func chat(_ id: ConversationId) -> ChatModel? {
        guard let client, let conversation = try? client.conversation(id: id) else { return nil }
        return ChatModel(client: client, id: id, conversation: conversation)
    }
}

/// An error in words for a user. An app has its own, by `code`, in its user's language.
func describe(_ error: any Error) -> String {
    guard let error = error as? HushpostError else { return error.localizedDescription }
    return switch error {
    case .Network: "There is no connection. Try again later."
    case .NotAllowed where error.code == "verification_needed":
        "Their devices changed. Compare the safety number first."
    default: "\(error.reason) (\(error.code))"
    }
}
