plugins {
    id("com.android.application") version "8.13.0"
    id("org.jetbrains.kotlin.android") version "2.4.21"
    id("org.jetbrains.kotlin.plugin.compose") version "2.4.21"
}

android {
    namespace = "org.hushpost.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "org.hushpost.sample"
        minSdk = 23
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        // The emulator's name for the machine that it runs on.
        buildConfigField("String", "RELAY", "\"ws://10.0.2.2:4810\"")
        buildConfigField("String", "RELAY_NAME", "\"localhost\"")
    }

    // The state that the screens show is plain Kotlin, and is tested without Android.
    sourceSets.named("main") { kotlin.srcDirs("src/main/kotlin", "../state/kotlin") }
    buildFeatures {
        buildConfig = true
        compose = true
    }
    buildTypes.named("release") {
        isMinifyEnabled = true
        proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
        isCoreLibraryDesugaringEnabled = true
    }
}

kotlin {
    compilerOptions { jvmTarget.set(org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11) }
}

dependencies {
    implementation("org.hushpost:hushpost-android:0.1.0")
    implementation(platform("androidx.compose:compose-bom:2025.09.00"))
    implementation("androidx.compose.material3:material3")
    implementation("androidx.activity:activity-compose:1.11.0")
    implementation("androidx.lifecycle:lifecycle-process:2.9.4")
    implementation("androidx.lifecycle:lifecycle-viewmodel-compose:2.9.4")
    implementation("androidx.work:work-runtime-ktx:2.10.5")
    coreLibraryDesugaring("com.android.tools:desugar_jdk_libs:2.1.5")
}
