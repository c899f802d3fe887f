plugins {
    alias(libs.plugins.kotlin.jvm)
    alias(libs.plugins.kotlin.serialization)
}

kotlin {
    compilerOptions {
        allWarningsAsErrors = true
    }
    jvmToolchain(17)
}

dependencies {
    api(libs.kotlinx.serialization.json)
    // The names of HTML's character references.
    implementation(libs.jsoup)

    testImplementation(libs.junit.jupiter)
}

tasks.test {
    useJUnitPlatform()
    systemProperty("pocketclip.goldens", rootDir.resolve("../tests/app_golden").path)
}
