// One conversation.

import Hushpost
import SwiftUI

struct ChatView: View {
    let title: String
    @State private var chat: ChatModel

    init(chat: ChatModel, title: String) {
        self.title = title
        // The one that was made first stays, however often the view around it is made anew.
        _chat = State(initialValue: chat)
    }

    var body: some View {
        VStack(spacing: 0) {
            ScrollView {
                LazyVStack(spacing: 8) {
                    Button("Earlier") { Task { await chat.showMore() } }
                    ForEach(chat.messages, id: \.id) { MessageRow(message: $0) }
                }
                .padding()
            }
            .defaultScrollAnchor(.bottom)
            if chat.isTyping {
                Text("typing…").font(.footnote).foregroundStyle(.secondary)
            }
            if let problem = chat.problem {
                Text(problem).font(.footnote).foregroundStyle(.red)
            }
            if chat.requested {
                Button("Accept") { Task { await chat.accept() } }.buttonStyle(.borderedProminent)
            }
            composer
        }
        .navigationTitle(title)
        .navigationBarTitleDisplayMode(.inline)
        // Cancelled when the view goes, and with it the stream of events.
        .task { await chat.follow() }
    }

    private var composer: some View {
        HStack {
            TextField("Message", text: $chat.draft, axis: .vertical)
                .textFieldStyle(.roundedBorder)
                .onChange(of: chat.draft) { _, draft in
                    if !draft.isEmpty { Task { await chat.typed() } }
                }
            Button("Send", systemImage: "paperplane.fill") { Task { await chat.send() } }
                .labelStyle(.iconOnly)
                .disabled(chat.draft.isEmpty)
        }
        .padding()
    }
}

private struct MessageRow: View {
    let message: Message

    var body: some View {
        VStack(alignment: message.isOwn ? .trailing : .leading, spacing: 2) {
            Text(message.body ?? "(something that this sample does not show)")
                .padding(10)
                .background(message.isOwn ? Color.accentColor.opacity(0.2) : Color.secondary.opacity(0.15))
                .clipShape(RoundedRectangle(cornerRadius: 14))
            Text(status).font(.caption2).foregroundStyle(.secondary)
        }
        .frame(maxWidth: .infinity, alignment: message.isOwn ? .trailing : .leading)
    }

    private var status: String {
        let time = message.sent.formatted(date: .omitted, time: .shortened)
        return switch message.state {
        case .unread, .seen: time
        case .queued: "\(time) · waiting"
        case .sent: "\(time) · ✓"
        case .delivered: "\(time) · ✓✓"
        case .read: "\(time) · read"
        case .failed: "\(time) · not sent"
        }
    }
}
