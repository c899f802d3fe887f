plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

// As in the applications.
val npu: String? = providers.gradleProperty("npu").orNull

android {
    namespace = "org.pocketclip.runtime.executorch"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        minSdk = libs.versions.minSdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    testOptions {
        unitTests.all { it.useJUnitPlatform() }
    }
}

kotlin {
    compilerOptions {
        allWarningsAsErrors = true
    }
    jvmToolchain(17)
}

dependencies {
    api(project(":core"))
    if (npu == "executorch") implementation(libs.executorch.android.qnn) else implementation(libs.executorch.android)

    testImplementation(libs.junit.jupiter)
}
