package org.pytorch.executorch;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/** Signatures only. */
public abstract class Tensor {
  private Tensor() {}

  public static Tensor fromBlob(FloatBuffer data, long[] shape) {
    throw new UnsatisfiedLinkError("stub");
  }

  public static Tensor fromBlob(IntBuffer data, long[] shape) {
    throw new UnsatisfiedLinkError("stub");
  }

  public static Tensor fromBlobUnsigned(ByteBuffer data, long[] shape) {
    throw new UnsatisfiedLinkError("stub");
  }

  public float[] getDataAsFloatArray() {
    throw new UnsatisfiedLinkError("stub");
  }
}
