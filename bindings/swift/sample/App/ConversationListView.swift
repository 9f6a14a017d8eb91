// All conversations, and whether there is a connection.

import Hushpost
import SwiftUI

struct ConversationListView: View {
    let store: ChatStore
    @State private var path: [ConversationId] = []
    @State private var asksForAccount = false
    @State private var newAccount = ""

    var body: some View {
        NavigationStack(path: $path) {
            List {
                if let problem = store.problem {
                    Label(problem, systemImage: "exclamationmark.triangle")
                }
                ForEach(store.conversations, id: \.id) { entry in
                    NavigationLink(value: entry.id) { ConversationRow(entry: entry) }
                }
                if let account = store.account {
                    Section("Your account") {
                        ShareLink(account, item: account)
                            .font(.footnote.monospaced())
                    }
                }
            }
            .navigationTitle("Chats")
            .navigationDestination(for: ConversationId.self) { id in
                if let chat = store.chat(id) {
                    ChatView(chat: chat, title: title(of: id))
                }
            }
            .toolbar {
                ToolbarItem(placement: .topBarLeading) { ConnectionLabel(state: store.connection) }
                ToolbarItem(placement: .topBarTrailing) {
                    Button("New chat", systemImage: "square.and.pencil") { asksForAccount = true }
                }
            }
            .alert("Write to", isPresented: $asksForAccount) {
                TextField("Account", text: $newAccount)
                Button("Open") { open() }
                Button("Cancel", role: .cancel) {}
            }
        }
    }

    private func title(of id: ConversationId) -> String {
        let entry = store.conversations.first { $0.id == id }
        return entry?.name ?? entry?.peer ?? "Chat"
    }

    private func open() {
        let account = newAccount.trimmingCharacters(in: .whitespacesAndNewlines)
        newAccount = ""
        Task {
            if let id = await store.open(with: account) {
                path.append(id)
            }
        }
    }
}

private struct ConversationRow: View {
    let entry: ConversationSummary

    var body: some View {
        HStack {
            VStack(alignment: .leading) {
                Text(entry.name ?? entry.peer ?? "Group").font(.headline).lineLimit(1)
                Text(entry.requested ? "Wants to write to you" : entry.preview)
                    .foregroundStyle(.secondary)
                    .lineLimit(1)
            }
            Spacer()
            if entry.unread > 0 {
                Text("\(entry.unread)").bold().accessibilityLabel("\(entry.unread) unread")
            }
        }
    }
}

private struct ConnectionLabel: View {
    let state: ConnectionState

    var body: some View {
        switch state {
        case .online: Image(systemName: "checkmark.circle").accessibilityLabel("Online")
        case .refused, .replaced: Image(systemName: "xmark.octagon").accessibilityLabel("Not connected")
        case .offline, .waiting: Image(systemName: "wifi.slash").accessibilityLabel("Offline")
        case .connecting, .catchingUp: ProgressView()
        }
    }
}
