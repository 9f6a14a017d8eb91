// The first program of the getting-started page: `swift run HushpostHello`, and in another terminal
// `swift run HushpostHello ACCOUNT` with the account that the first one printed.

// page: hello
import Foundation
import Hushpost

// A new account each time. An app keeps one folder, and its key in the Keychain.
let folder = try DatabaseFolder(
    at: FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString))
let client = try await Client.open(
    config: Config(database: folder.database(), key: .generate(), relay: "ws://localhost:4810"))
print("I am \(try await client.register(registration: .open))")

let events = try client.events()
try client.connect()  // and connects again by itself
if let friend = CommandLine.arguments.dropFirst().first {
    let conversation = try await client.conversationWith(account: friend)
    // On the disk when this returns, delivered when it can be.
    _ = try await conversation.sendText(body: "Hello!")
}
for try await event in events {
    switch event {
    case let .messageAdded(conversation, message):
        guard let message = try await client.message(message: message), !message.isOwn else { continue }
        print("\(message.id.sender): \(message.body ?? "something else")")
        // Saying yes to a stranger: from now on they see what was delivered and read.
        try await client.conversation(id: conversation).accept()
        try await client.conversation(id: conversation).markRead(through: message.cursor)
    case let .messageChanged(_, message):
        guard let message = try await client.message(message: message), message.isOwn else { continue }
        print("my message is \(message.state)")
    default:
        break
    }
}
// page end
