package org.pocketclip.core.image

import org.pocketclip.core.bundle.PreprocessSpec
import org.pocketclip.core.bundle.TensorSpec
import org.pocketclip.core.runtime.Tensor

/** Makes the image tower's input of upright images. */
class ImageInput(private val preprocess: PreprocessSpec, private val spec: TensorSpec) {
    /** Resizes, cuts and normalises an upright image: a tensor of batch 1 in the tower's layout and type. */
    fun of(image: RgbImage): Tensor = TODO("follows")
}
