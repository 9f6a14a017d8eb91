// One conversation on the screen.

import Foundation
import Hushpost
import Observation

/// The newest messages, kept fresh while somebody looks: `await follow()` for as long as the view is there.
@available(iOS 17, macOS 14, *)
@MainActor
@Observable
final class ChatModel {
    private(set) var messages: [Message] = []
    private(set) var isTyping = false
    private(set) var requested = false
    private(set) var problem: String?
    var draft = ""

    let id: ConversationId
    private let client: Client
    private let conversation: Conversation
    private var limit: UInt32 = 50
    private var typingEnds: Task<Void, Never>?

    init(client: Client, id: ConversationId, conversation: Conversation) {
        self.client = client
        self.id = id
        self.conversation = conversation
    }

    /// Shows what is there, then what happens, until the task is cancelled.
    func follow() async {
        do {
            // The stream first, then the database: nothing falls between.
            let events = try client.events()
            try await read()
            for try await event in events {
                try await take(event)
            }
        } catch {
            problem = describe(error)
        }
    }

    private func take(_ event: Event) async throws {
        switch event {
        case .messageAdded(id, _), .messageChanged(id, _), .messageRemoved(id, _), .conversationChanged(id):
            try await read()
        case .typing(id, _, let activity):
            show(activity)
        case .missed:
            // Events were lost: the database was not.
            try await read()
        default:
            break
        }
    }

    private func read() async throws {
        messages = try await conversation.messagesBefore(before: nil, limit: limit).messages
        requested = try await conversation.summary().requested
        // A request is read when it is accepted: a stranger learns nothing.
        if !requested, let newest = messages.last(where: { !$0.isOwn }), newest.state == .unread {
            isTyping = false
            try await conversation.markRead(through: newest.cursor)
        }
    }

    private func show(_ activity: Activity) {
        isTyping = activity != .stopped
        typingEnds?.cancel()
        typingEnds = Task { [weak self] in
            // Nobody says when they stop if their phone is switched off.
            guard (try? await Task.sleep(for: .seconds(5))) != nil else { return }
            self?.isTyping = false
        }
    }

    func showMore() async {
        limit = min(limit + 50, 500)
        await attempt { try await self.read() }
    }

    func send() async {
        let text = draft
        draft = ""
        await attempt {
            do {
                _ = try await self.conversation.sendText(body: text)
            } catch {
                self.draft = text
                throw error
            }
        }
    }

    func accept() async {
        await attempt {
            try await self.conversation.accept()
            try await self.read()
        }
    }

    /// The user typed: at most one in 3 seconds goes out.
    func typed() async {
        await attempt { try await self.conversation.setActivity(activity: .typing) }
    }

    private func attempt(_ work: () async throws -> Void) async {
        do {
            problem = nil
            try await work()
        } catch {
            problem = describe(error)
        }
    }
}
