pluginManagement {
    repositories {
        google()
        mavenCentral()
    }
}

dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "PocketCLIP"

include(":core")
include(":machine")
include(":runtime-executorch")
include(":runtime-onnxruntime")
include(":runtime-litert")
include(":app")
include(":bench")
