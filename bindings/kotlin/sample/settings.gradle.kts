pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "hushpost-sample"
include(":app")

// The library from its sources; an app of your own takes `org.hushpost:hushpost-android` from a repository.
includeBuild("../android") {
    dependencySubstitution { substitute(module("org.hushpost:hushpost-android")).using(project(":")) }
}
