"""What the ops of all formats do, by their names without namespace, overload and underscores."""

from __future__ import annotations

from pocketclip.export.lint.graph import OpKind

# The names of ONNX, MIL, ATen and LiteRT's built-in ops, and of XNNPACK's nodes, in one table: they rarely differ.
_NAMES: dict[OpKind, str] = {
    OpKind.CONV: """conv conv2d convolution depthwiseconv2d convinteger qlinearconv convtranspose convtranspose2d
        transposeconv""",
    # Whether a product is with weights is for the reader to say.
    OpKind.MATMUL: """matmul gemm linear fullyconnected batchmatmul batchmatrixmultiply bmm mm addmm baddbmm einsum
        matmulinteger qlinearmatmul matmulnbits scaleddotproductattention""",
    OpKind.EMBEDDING: """embedding embeddinglookup gather gathernd gatherelements gatheralongaxis gatherblockquantized
        indexselect index""",
    OpKind.BATCH_NORM: """batchnormalization batchnorm nativebatchnorm nativebatchnormlegit
        nativebatchnormlegitnotraining""",
    OpKind.ARGMAX: "argmax reduceargmax argmaxpooling2d",
    OpKind.ROOT: """rsqrt sqrt squareroot reciprocalsquareroot pow reducel2 reducel2norm l2norm l2normalization
        lpnormalization linalgvectornorm norm""",
    OpKind.ADD: "add",
    OpKind.ARITHMETIC: """sub subtract mul multiply div realdiv neg negate abs sign clip clamp minimum maximum square
        relu floor round cumsum""",
    OpKind.COMPARE: "equal eq ne notequal greater greaterequal gt ge less lessequal lt le",
    OpKind.SHAPE: """reshape staticreshape view viewcopy transpose statictranspose permute permutecopy unsqueeze
        unsqueezecopy squeeze squeezecopy expanddims expand expandcopy slice slicecopy staticslice slicebyindex
        stridedslice select selectcopy split splitv concat concatenation cat flatten identity copy clone contiguous
        aliascopy""",
    OpKind.CAST: "cast to todimordercopy tocopy convert typeas float half",
    OpKind.QUANTIZE: "quantizelinear dynamicquantizelinear quantize quantizepertensor",
    OpKind.DEQUANTIZE: "dequantizelinear dequantize dequantizepertensor dequantizeperchannel",
}
_KINDS = {name: kind for kind, names in _NAMES.items() for name in names.split()}


def plain_name(name: str) -> str:
    """`aten::convolution.out`, `XNNConv2d`, `CONV_2D` and `Conv` without what only their formats need."""
    bare = name.rpartition("::")[2].removeprefix("aten.").removeprefix("XNN").partition(".")[0]
    return bare.replace("_", "").lower()


def kind_of(name: str, *, constant_operand: bool = False) -> OpKind:
    """What an op does; `constant_operand` says whether one of its factors is stored."""
    kind = _KINDS.get(plain_name(name), OpKind.OTHER)
    return OpKind.LINEAR if kind is OpKind.MATMUL and constant_operand else kind
