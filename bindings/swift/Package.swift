// swift-tools-version: 6.0
import Foundation
import PackageDescription

// The compiled core comes from one of three places:
//
//   HushpostFFI.xcframework   made by `build.sh xcframework`: iPhones, simulators and Macs
//   Library/                  made by `build.sh host`: this machine alone, for tests and for programs on Linux
//   a release                 an archive of the XCFramework at a URL, with its checksum (none is published yet)

/// The XCFramework of a release: its URL, and what `build.sh xcframework` printed as checksum. A release's package has
/// the generated code in it, and this filled in.
let release: (url: String, checksum: String)? = nil

let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path

func isThere(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root + "/" + path)
}

#if os(Linux)
let takesXCFramework = false
#else
let takesXCFramework = true
#endif

let core: Target
var linking: [LinkerSetting] = [
    // What the static library uses: certificates, keys and random numbers of the system.
    .linkedFramework("CoreFoundation", .when(platforms: [.iOS, .macOS])),
    .linkedFramework("Security", .when(platforms: [.iOS, .macOS])),
    .linkedFramework("SystemConfiguration", .when(platforms: [.iOS, .macOS])),
]
if takesXCFramework, isThere("HushpostFFI.xcframework") {
    core = .binaryTarget(name: "HushpostFFI", path: "HushpostFFI.xcframework")
} else if isThere("Library") {
    core = .systemLibrary(name: "HushpostFFI", path: "Sources/HushpostFFI")
    linking.append(.linkedLibrary("hushpost_ffi"))
    // Only for packages on the same disk: SwiftPM takes such flags from no other.
    linking.append(.unsafeFlags(["-L\(root)/Library", "-Xlinker", "-rpath", "-Xlinker", "\(root)/Library"]))
} else if takesXCFramework, let release {
    core = .binaryTarget(name: "HushpostFFI", url: release.url, checksum: release.checksum)
} else {
    let advice = "Hushpost is not built: run bindings/swift/build.sh host (or, on a Mac, build.sh xcframework) first.\n"
    FileHandle.standardError.write(Data(advice.utf8))
    exit(1)
}

#if os(Linux)
// Privacy manifests are Apple's.
let resources: [Resource] = []
let leftOut = ["PrivacyInfo.xcprivacy"]
#else
let resources: [Resource] = [.copy("PrivacyInfo.xcprivacy")]
let leftOut: [String] = []
#endif

let package = Package(
    name: "Hushpost",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "Hushpost", targets: ["Hushpost"])],
    targets: [
        core,
        .target(
            name: "Hushpost",
            dependencies: ["HushpostFFI"],
            exclude: leftOut,
            resources: resources,
            linkerSettings: linking
        ),
        // The first program of the getting-started page.
        .executableTarget(name: "HushpostHello", dependencies: ["Hushpost"], path: "sample/Hello"),
        // What the sample app shows, without its views: compiled here so that it is compiled on every system.
        .target(name: "SampleModel", dependencies: ["Hushpost"], path: "sample/Model"),
        .testTarget(
            name: "HushpostTests",
            dependencies: ["Hushpost", "SampleModel"],
            // Swift 6.0's library for `@Observable` on Linux lacks a function that nobody calls.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--allow-shlib-undefined"], .when(platforms: [.linux]))]
        ),
    ],
    swiftLanguageModes: [.v6]
)
