"""Model files that end, stop or starve what runs them."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from .tiny_artifacts import DIM, SIZE

# A small program with an input of a type that does not exist: ExecuTorch ends the process.
_CRASHING_PTE = (
    "c-pO0zi-n(6h1qS>!d*nA*wPk7%M}D2&IUjL<}7Y6JrOY5Je$2N+j2g5=T%_1p^}kLk9*1#LUn?f}sO{03%{xVqok5IlenT+vkuB"
    "2u}L^?#FxI`|j?YZ!^a39PZxm#+{Ch{=Ug%dqLJ>S*x-JzIE6N<_%aeVypw)Q(!MSH(+(PzG*;3atj7S=CC&SU6s8Z)?!U&W7JUc"
    "?_i|~>=Dj^HwbzQyaOzVI4tIMR15hWV(0^Hsf4kcKRLHZpI8eQ5i7wCBQNN7hpvnM{WU(<VBN{lAe_10Y!FW8-R>X?2ieppoF2pH"
    "bWLnI<v;R<LA>v(R98;-TBevYLZW+*bhm%SyyDm{D2Ld0k!+H4oA5yKZ&6<(f6+=ZJ4^586@04XZ^;>hzKoeltmto1PJQJrx5)}z"
    "0$OnRh`|^*0GhxB=Dz@+#94_t6z59!EOOPCsc!un`kIoXldToME@Qo-K1J33;QaYh^4Cd_PFmzyX0coEseVO!navkIaL!Ma9Cvw~"
    "qd^eck0`II>pY9mpo4$LxI&x;GvvO$EBPIsy`Q996FqgV>>qu#oL_U|)lJlmA@4%HgEOp4oy8i?<%+Bbi`Z*abB*-PF>@dOLcpdo"
    "vrr)=s)K~L#xDQCTUU8aQ`U1*Gjd;=UNCaJ2`Z==g&!HJIpy&`DEXgM@<%1(E#?1m0Net4yKVcK6CF=Ir)vib-*4N_C=4R+Nu*4S"
    "C%!xLg28<1jWFHopY##CT#a`gE+&373Fg<M#nktl9G4@=oONvfE&gxxpRCpGPDas6+Fsw;MA47m_oHz3csO&}zqaI^{05sU41W"
)
CRASHING_PTE = zlib.decompress(base64.b85decode(_CRASHING_PTE))


def endless_onnx() -> bytes:
    """An image tower that counts to 2**63."""
    from numpy import array, int64, ones
    from onnx import TensorProto, helper, numpy_helper

    state = helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, DIM])
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Sin", ["state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            state,
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, DIM]),
        ],
    )
    nodes = [helper.make_node("Loop", ["times", "", "start"], ["embedding"], body=body)]
    constants = [
        numpy_helper.from_array(array(2**63 - 1, int64), "times"),
        numpy_helper.from_array(ones((1, DIM), "float32"), "start"),
    ]
    return _tower(nodes, constants)


def greedy_onnx() -> bytes:
    """An image tower that wants 256 GiB, which only shows when it runs."""
    from numpy import array, float32, int64
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0),
        helper.make_node("Mul", ["most", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "many"], ["count"]),
        helper.make_node("Cast", ["count"], ["whole"], to=7),
        helper.make_node("Reshape", ["whole", "one"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["rows"]),
        helper.make_node("ReduceSum", ["rows"], ["sum"], keepdims=0),
        helper.make_node("Expand", ["sum", "wide"], ["embedding"]),
    ]
    constants = [
        numpy_helper.from_array(array(0, float32), "zero"),
        numpy_helper.from_array(array(2.0**36, float32), "many"),
        numpy_helper.from_array(array([1], int64), "one"),
        numpy_helper.from_array(array([1, DIM], int64), "wide"),
    ]
    return _tower(nodes, constants)


def _tower(nodes: list[Any], constants: list[Any]) -> bytes:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        nodes,
        "image",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, DIM])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()
