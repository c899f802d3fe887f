package org.pytorch.executorch;

/** Signatures only. */
public class ExecuTorchRuntime {
  private ExecuTorchRuntime() {}

  public static ExecuTorchRuntime getRuntime() {
    throw new UnsatisfiedLinkError("executorch-android is not packaged: this is a stub to compile against");
  }

  public static String[] getRegisteredBackends() {
    throw new UnsatisfiedLinkError("stub");
  }
}
