// What a notification service extension shows.

#if canImport(UserNotifications)
import Foundation
import UserNotifications

extension PushResult {
    /// Writes what came into a notification: the newest message with its sender's or group's name, how many more there
    /// are, and the badge. False if there is nothing to say of any message: then the notification stays as it was.
    ///
    /// A request of a stranger says so and no more: its text is for a user who opens it.
    ///
    /// - Parameters:
    ///   - content: the extension's mutable copy.
    ///   - words: the app's words, in its user's language.
    public func describe(in content: UNMutableNotificationContent, words: NotificationWords) -> Bool {
        content.badge = NSNumber(value: unread)
        guard let newest = messages.last else { return false }
        content.title = newest.title ?? words.unknownSender
        content.body = newest.requested ? words.request : newest.preview
        if content.body.isEmpty {
            content.body = words.newMessage
        }
        content.subtitle = messages.count > 1 ? words.more(messages.count - 1) : ""
        content.threadIdentifier = newest.message.conversation
        content.sound = .default
        return true
    }
}

/// An app's words for notifications.
public struct NotificationWords: Sendable {
    /// In place of a name that is not known.
    public var unknownSender: String
    /// In place of a stranger's text.
    public var request: String
    /// In place of a message without text.
    public var newMessage: String
    /// Of messages beside the one that is shown.
    public var more: @Sendable (Int) -> String

    /// All of them have to be given: there are no words that suit every language.
    public init(
        unknownSender: String,
        request: String,
        newMessage: String,
        more: @escaping @Sendable (Int) -> String
    ) {
        self.unknownSender = unknownSender
        self.request = request
        self.newMessage = newMessage
        self.more = more
    }
}
#endif
