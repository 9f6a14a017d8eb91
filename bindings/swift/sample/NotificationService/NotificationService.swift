// Turns a push without content into a notification with one. It shares the app's database and key.

import Foundation
import Hushpost
import UserNotifications

/// iOS makes one for a push, gives it about 30 seconds and 24 MB, and ends it without a word if it takes more. So: one
/// call with a budget, nothing in memory beside it, no pictures.
final class NotificationService: UNNotificationServiceExtension {
    private var work: Task<Void, Never>?
    private var delivery: Delivery?

    override func didReceive(
        _ request: UNNotificationRequest,
        withContentHandler contentHandler: @escaping (UNNotificationContent) -> Void
    ) {
        // What is shown if nothing more can be said: the phone was not unlocked since it was started, or time ran out.
        let content = UNMutableNotificationContent()
        content.title = "Chats"
        content.body = "You may have new messages"
        let delivery = Delivery(content: content, handler: contentHandler)
        self.delivery = delivery
        work = Task {
            let result = try? await processPush(config: Account.config(), budget: .seconds(20))
            delivery.end(with: result)
        }
    }

    override func serviceExtensionTimeWillExpire() {
        // Being cut off loses nothing: what came is in the database, the rest waits at the relay.
        work?.cancel()
        delivery?.end(with: nil)
    }
}

/// Hands a notification over, once, from whichever thread comes first.
private final class Delivery: @unchecked Sendable {
    private let lock = NSLock()
    private let content: UNMutableNotificationContent
    private var handler: ((UNNotificationContent) -> Void)?

    init(content: UNMutableNotificationContent, handler: @escaping (UNNotificationContent) -> Void) {
        self.content = content
        self.handler = handler
    }

    func end(with result: PushResult?) {
        lock.lock()
        defer { lock.unlock() }
        guard let handler else { return }
        self.handler = nil
        if let result {
            _ = result.describe(in: content, words: words)
        }
        handler(content)
    }

    private var words: NotificationWords {
        NotificationWords(
            unknownSender: "Somebody new",
            request: "Wants to write to you",
            newMessage: "New message",
            more: { "and \($0) more" }
        )
    }
}
