package org.pytorch.executorch;

/** Signatures only; every call fails as it does where the native library is missing. */
public class Module {
  public static final int LOAD_MODE_FILE = 0;
  public static final int LOAD_MODE_MMAP = 1;
  public static final int LOAD_MODE_MMAP_USE_MLOCK = 2;
  public static final int LOAD_MODE_MMAP_USE_MLOCK_IGNORE_ERRORS = 3;

  private Module() {}

  public static Module load(final String modelPath, int loadMode, int numThreads) {
    throw new UnsatisfiedLinkError("executorch-android is not packaged: this is a stub to compile against");
  }

  public EValue[] forward(EValue... inputs) {
    throw new UnsatisfiedLinkError("stub");
  }

  public void loadMethod(String methodName) {
    throw new UnsatisfiedLinkError("stub");
  }

  public MethodMetadata getMethodMetadata(String name) {
    throw new UnsatisfiedLinkError("stub");
  }

  public void destroy() {}
}
