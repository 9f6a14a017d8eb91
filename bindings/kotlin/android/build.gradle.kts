// The AAR `hushpost-android`. Run `build-native.sh` first: it makes the libraries and the generated code.

plugins {
    id("com.android.library") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.4.21"
    `maven-publish`
}

group = "org.hushpost"
version = "0.1.0"

android {
    namespace = "org.hushpost.android"
    compileSdk = 36

    defaultConfig {
        minSdk = 23
        consumerProguardFiles("consumer-rules.pro")
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }

    sourceSets.named("main") {
        // What the JVM package has, but for its functions with `java.nio.file.Path` (Android 8 and later).
        kotlin.srcDirs("src/main/kotlin", "../src/main/kotlin", "generated")
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
        // Times and durations are those of `java.time`, which Android has from 8 (API 26) on. Apps with a lower `minSdk`
        // switch it on as well; Gradle tells them if they did not.
        isCoreLibraryDesugaringEnabled = true
    }

    publishing {
        singleVariant("release") { withSourcesJar() }
    }
}

kotlin {
    compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11) }
}

dependencies {
    // As `@aar`, which has JNA's own library for Android; 5.17 is the first that loads on devices with 16 KiB pages.
    api("net.java.dev.jna:jna:5.19.1@aar")
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.11.0")
    // For the worker. An app that has none of its own may leave it out.
    compileOnly("androidx.work:work-runtime-ktx:2.10.5")
    coreLibraryDesugaring("com.android.tools:desugar_jdk_libs:2.1.5")
}

publishing {
    publications.register<MavenPublication>("release") {
        artifactId = "hushpost-android"
        afterEvaluate { from(components["release"]) }
    }
}
