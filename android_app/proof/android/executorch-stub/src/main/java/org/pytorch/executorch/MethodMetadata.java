package org.pytorch.executorch;

/** Signatures only. */
public class MethodMetadata {
  private MethodMetadata() {}

  public String[] getBackends() {
    throw new UnsatisfiedLinkError("stub");
  }
}
