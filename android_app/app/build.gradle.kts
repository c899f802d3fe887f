plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.compose)
}

// `-Pnpu=onnxruntime`, `executorch` or `litert`: packages what that runtime needs for Snapdragon's NPU, with Qualcomm's
// libraries of the version `-Pqnn`. One version of them fits into an application (README.md).
val npu: String? = providers.gradleProperty("npu").orNull
val qnn: String? = providers.gradleProperty("qnn").orNull

android {
    namespace = "org.pocketclip.app"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "org.pocketclip.app"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = libs.versions.appVersionCode.get().toInt()
        versionName = libs.versions.appVersion.get()
        ndk {
            // Qualcomm's libraries are for phones alone.
            abiFilters += if (npu == null) listOf("arm64-v8a", "x86_64") else listOf("arm64-v8a")
        }
    }
    signingConfigs {
        // A key of your own, by environment; without it the build is signed with the debug key, which is enough for a
        // phone on your desk: what is measured is the release build in both cases.
        create("own") {
            System.getenv("POCKETCLIP_KEYSTORE")?.let { path ->
                storeFile = file(path)
                storePassword = System.getenv("POCKETCLIP_KEYSTORE_PASSWORD")
                keyAlias = System.getenv("POCKETCLIP_KEY_ALIAS")
                keyPassword = System.getenv("POCKETCLIP_KEY_PASSWORD")
            }
        }
    }
    buildTypes {
        release {
            isDebuggable = false
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
            signingConfig = signingConfigs.getByName(if (System.getenv("POCKETCLIP_KEYSTORE") == null) "debug" else "own")
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    buildFeatures {
        compose = true
    }
    androidResources {
        // A preinstalled bundle is copied out of the assets: compressing it twice would only cost time.
        noCompress += "zip"
    }
    packaging {
        // Models and native libraries are mapped from the APK as they are; the Hexagon processor takes only files.
        jniLibs.useLegacyPackaging = npu != null
        resources.excludes += setOf("META-INF/AL2.0", "META-INF/LGPL2.1", "META-INF/versions/9/OSGI-INF/MANIFEST.MF")
    }
    testOptions {
        unitTests.isIncludeAndroidResources = true
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
    implementation(project(":core"))
    implementation(project(":machine"))
    implementation(project(":runtime-executorch"))
    implementation(project(":runtime-onnxruntime"))
    implementation(project(":runtime-litert"))
    if (npu == "onnxruntime") implementation(libs.onnxruntime.android.qnn) else implementation(libs.onnxruntime.android)
    if (npu == "litert") implementation(libs.litert.npu.qualcomm)
    if (npu != null) {
        val version = requireNotNull(qnn) { "-Pnpu needs -Pqnn, the version of com.qualcomm.qti:qnn-runtime to package" }
        implementation("com.qualcomm.qti:qnn-runtime:$version")
    }
    implementation(libs.androidx.activity.compose)
    implementation(libs.androidx.compose.foundation)
    implementation(libs.androidx.compose.material.icons.core)
    implementation(libs.androidx.compose.material3)
    implementation(libs.androidx.compose.ui)
    implementation(libs.androidx.core.ktx)
    implementation(libs.androidx.lifecycle.runtime.compose)
    implementation(libs.androidx.lifecycle.viewmodel.compose)
    implementation(libs.kotlinx.coroutines.android)
    implementation(libs.kotlinx.serialization.json)

    debugImplementation(libs.androidx.compose.ui.test.manifest)
    testImplementation(libs.androidx.compose.ui.test.junit4)
    testImplementation(libs.kotlinx.coroutines.test)
    testImplementation(libs.hamcrest.library)
    testImplementation(libs.junit4)
    testImplementation(libs.robolectric)
    testRuntimeOnly(libs.onnxruntime.jvm)
}
