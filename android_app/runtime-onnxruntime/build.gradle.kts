plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
}

// As in the applications.
val npu: String? = providers.gradleProperty("npu").orNull

android {
    namespace = "org.pocketclip.runtime.onnxruntime"
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
        unitTests.all {
            it.useJUnitPlatform()
            it.systemProperty("pocketclip.goldens", rootDir.resolve("../tests/app_golden").path)
        }
    }
}

kotlin {
    compilerOptions {
        allWarningsAsErrors = true
    }
    jvmToolchain(17)
}

// The desktop library has the same classes with natives of a PC: unit tests run models with it.
configurations.matching { it.name.endsWith("UnitTestRuntimeClasspath") }.configureEach {
    exclude(group = "com.microsoft.onnxruntime", module = "onnxruntime-android")
    exclude(group = "com.microsoft.onnxruntime", module = "onnxruntime-android-qnn")
}

dependencies {
    api(project(":core"))
    if (npu == "onnxruntime") implementation(libs.onnxruntime.android.qnn) else implementation(libs.onnxruntime.android)

    testImplementation(libs.junit.jupiter)
    testRuntimeOnly(libs.onnxruntime.jvm)
}
