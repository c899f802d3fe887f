import PocketClipCore
import PocketClipCoreAI
import PocketClipCoreML

/// What runs models in this app: Core ML on every system, Core AI where the system has it.
let appRuntimes: [any ModelRuntime] = [CoreMLRuntime(), CoreAISupport.runtime()]
