"""Makers of NPUs beside Qualcomm that LiteRT's compiler has a plug-in for: their chips, phones and SDKs.

Chips and generations of SDKs are those of LiteRT 2.3.0's own table (`ai_edge_litert.aot.vendors`); of MediaTek's it has
seven more, which are older or for tablets.
"""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.export.precision import TargetName


@dataclass(frozen=True)
class Chip:
    """A chip with an NPU.

    Attributes:
        name: LiteRT's.
        title: what it is sold as, with its maker.
        phones: names of devices of ours (`benchmark/devices.toml`) that have it.
        generation: of the maker's SDK, where it holds several.
        flags: options of the compiler that the chip needs.
    """

    name: str
    title: str
    phones: tuple[str, ...] = ()
    generation: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Maker:
    """One whose SDK LiteRT's compiler calls.

    Attributes:
        name: as the compiler spells it (`--soc_manufacturer`).
        plugin: the folder of its plug-in below `vendors` in LiteRT's package.
        package: the distribution that brings its SDK. Building it downloads the SDK from the maker.
        module: what the distribution is imported as.
        requirement: the versions that fit LiteRT 2.3, for pip.
        library: a pattern for the file in the SDK that the plug-in loads.
        chips: by LiteRT's names.
        defaults: the chips that files are compiled for unless others are asked for.
        lowers_names: whether the compiler takes the names of chips in lower case.
        left_ops: kinds of op that the plug-in takes from no model, and that may stay on the CPU.
        preload: a library of the system whose symbols the plug-in uses without asking for it.
    """

    name: str
    plugin: str
    package: str
    module: str
    requirement: str
    library: str
    chips: dict[str, Chip]
    defaults: tuple[str, ...]
    lowers_names: bool = False
    left_ops: frozenset[str] = frozenset()
    preload: str | None = None


def _by_name(*chips: Chip) -> dict[str, Chip]:
    return {chip.name: chip for chip in chips}


MAKERS: dict[TargetName, Maker] = {
    TargetName.TFLITE_MEDIATEK: Maker(
        name="MediaTek",
        plugin="mediatek",
        package="ai-edge-litert-sdk-mediatek",
        module="ai_edge_litert_sdk_mediatek",
        requirement=">=2.3.0,<2.4",
        library="libneuron*.so",
        chips=_by_name(
            Chip("MT6878", "MediaTek Dimensity 7300", generation="v8"),
            Chip("MT6886", "MediaTek Dimensity 7200", generation="v8"),
            Chip("MT6895", "MediaTek Dimensity 8100", generation="v8"),
            Chip("MT6897", "MediaTek Dimensity 8300", generation="v8"),
            Chip("MT6983", "MediaTek Dimensity 9000", generation="v8"),
            Chip("MT6985", "MediaTek Dimensity 9200", generation="v8"),
            Chip("MT6989", "MediaTek Dimensity 9300", generation="v8"),
            Chip("MT6991", "MediaTek Dimensity 9400", generation="v8"),
            Chip(
                "MT6993",
                "MediaTek Dimensity 9500",
                generation="v9",
                flags=("--mediatek_sdk_version_type=version9",),
            ),
        ),
        defaults=("MT6989", "MT6991", "MT6993"),
        lowers_names=True,
        # Seen with a stand-in for the SDK that takes every op it is asked about: of these the plug-in does not ask.
        left_ops=frozenset({"EMBEDDING_LOOKUP"}),
    ),
    TargetName.TFLITE_GOOGLE: Maker(
        name="Google",
        plugin="google_tensor",
        package="ai-edge-litert-sdk-google-tensor",
        module="ai_edge_litert_sdk_google_tensor",
        requirement=">=2.3.0,<2.4",
        library="liblitert_plugin_compiler.so",
        chips=_by_name(
            Chip("Tensor_G3", "Google Tensor G3", ("pixel8", "pixel8-pro", "pixel8a")),
            Chip("Tensor_G4", "Google Tensor G4", ("pixel9", "pixel9-pro", "pixel9-pro-xl")),
            Chip("Tensor_G5", "Google Tensor G5"),
            Chip("Tensor_G6", "Google Tensor G6"),
        ),
        defaults=("Tensor_G3", "Tensor_G4", "Tensor_G5"),
    ),
    TargetName.TFLITE_SAMSUNG: Maker(
        name="Samsung",
        plugin="samsung",
        # Of Samsung's, there are nightly builds only.
        package="ai-edge-litert-sdk-samsung-nightly",
        module="ai_edge_litert_sdk_samsung",
        requirement=">=2.3.0.dev0,<2.4.0.dev0",
        library="libgraph_wrapper.so",
        chips=_by_name(Chip("E9965", "Samsung Exynos 2600")),
        defaults=("E9965",),
        # LiteRT 2.3.0's plug-in lacks `flatbuffers::ClassicLocale::instance_`: alone, it cannot be loaded.
        preload="flatbuffers",
    ),
}
