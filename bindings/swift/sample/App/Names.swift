// Hushpost and SwiftUI both have a `Text` and a `Group`. In views the short names are SwiftUI's; `Hushpost.Text` is the
// other one.

import SwiftUI

typealias Text = SwiftUI.Text
typealias Group = SwiftUI.Group
