"""NPUs of other makers than Qualcomm by LiteRT: a portable file, which is proven, and one compiled for each chip.

Nothing here can execute what their compilers make: values are those of the portable file.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pocketclip.export import runtimes
from pocketclip.export.npu import maker_sdks
from pocketclip.export.npu.litert_compiler import compile_for
from pocketclip.export.npu.makers import MAKERS
from pocketclip.export.npu.npu_report import write_report
from pocketclip.export.precision import Precision, TargetName
from pocketclip.export.targets import tflite
from pocketclip.export.targets.base import LoweringRequest
from pocketclip.export.targets.litert_half import check_half_range


class TfliteMakerTarget:
    """Writes `model.tflite`, which LiteRT runs anywhere, and `contexts/NAME.tflite`, compiled for a chip."""

    target: ClassVar[tflite.MakerTargets]

    def lower(self, request: LoweringRequest, folder: Path) -> str:
        maker = MAKERS[self.target]
        if request.precision is Precision.FP16:
            # The portable file is proven in single precision, which would not notice.
            check_half_range(request.module, request.samples)
        portable = folder / tflite.FILE_NAME
        tflite.convert(request, portable, self.target)
        chips = [maker.chips[name] for name in request.socs or maker.defaults]
        contexts = compile_for(((chip, maker_sdks.plugin_for(maker, chip)) for chip in chips), portable, folder)
        sdk, package = maker_sdks.sdk_version(maker), maker_sdks.package_version(maker)
        write_report(contexts, folder, sdk=sdk, package=package)
        return tflite.FILE_NAME

    def open(self, model_path: Path, threads: int) -> runtimes.Session:
        return runtimes.open_session("litert", str(model_path), threads)

    def executed_by(self) -> str:
        name = MAKERS[self.target].name
        return f"{runtimes.runtime_version('litert')}, the portable file; for {name}'s NPU compiled, not executed"


class TfliteMediaTekTarget(TfliteMakerTarget):
    """MediaTek's chips, by NeuroPilot."""

    target = TargetName.TFLITE_MEDIATEK


class TfliteGoogleTarget(TfliteMakerTarget):
    """Google's Tensor."""

    target = TargetName.TFLITE_GOOGLE


class TfliteSamsungTarget(TfliteMakerTarget):
    """Samsung's Exynos, by Exynos AI LiteCore."""

    target = TargetName.TFLITE_SAMSUNG
