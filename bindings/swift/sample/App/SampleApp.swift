// The app: one store for as long as it runs, connected while it is in front.

import Hushpost
import SwiftUI

@main
struct SampleApp: App {
    @State private var store = ChatStore()
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            ConversationListView(store: store)
                .task { await start() }
        }
        .onChange(of: phase) { _, phase in
            switch phase {
            case .active: store.enterForeground()
            case .background: enterBackground()
            default: break
            }
        }
    }

    private func start() async {
        do {
            await store.start(config: try Account.config())
        } catch {
            store.fail(error)
        }
    }

    /// iOS suspends the app soon after it has left the front: it is asked for the time to close the connection.
    private func enterBackground() {
        let time = BackgroundTime()
        Task {
            await store.enterBackground()
            time.end()
        }
    }
}

/// Some seconds in the background.
@MainActor
private final class BackgroundTime {
    private var id = UIBackgroundTaskIdentifier.invalid

    init() {
        id = UIApplication.shared.beginBackgroundTask { [weak self] in self?.end() }
    }

    func end() {
        UIApplication.shared.endBackgroundTask(id)
        id = .invalid
    }
}
