package org.pytorch.executorch;

/** Signatures only. */
public class EValue {
  private EValue() {}

  public static EValue from(Tensor tensor) {
    throw new UnsatisfiedLinkError("stub");
  }

  public boolean isTensor() {
    throw new UnsatisfiedLinkError("stub");
  }

  public Tensor toTensor() {
    throw new UnsatisfiedLinkError("stub");
  }
}
