"""The rules: a literal table. Codes stay what they are once published; a rule that goes leaves a gap."""

from __future__ import annotations

from dataclasses import dataclass

from pocketclip.export.artifact.lint_finding import Severity
from pocketclip.export.lint import artifact_rules, graph_rules, module_rules, neural_engine_rules, npu_rules
from pocketclip.export.lint.subject import Checker

UNREADABLE = "PC000"
GPU_REFUSAL, GPU_RESULT = "PC018", "PC019"


@dataclass(frozen=True)
class Rule:
    """A rule: its code, a title, why it matters, what to do, and the function that finds places where it applies."""

    code: str
    severity: Severity
    title: str
    reason: str
    fix: str
    check: Checker | None


RULES: tuple[Rule, ...] = (
    Rule(
        UNREADABLE,
        Severity.WARNING,
        "unreadable model file",
        "no rule about the graph could be applied to a file that was just written",
        "run pocketclip lint on the file for the whole message",
        None,
    ),
    Rule(
        "PC001",
        Severity.ERROR,
        "unfolded branches",
        "parallel training branches compute at inference what one convolution computes, at several times the cost",
        "convert pocketclip.models.towers.clip.reparameterize(model); a block of your own needs a fold() method",
        module_rules.unfolded_branches,
    ),
    Rule(
        "PC002",
        Severity.WARNING,
        "batch norm left",
        "at inference a batch norm is only a factor and a shift, which you can fold into the weights beside it",
        "fold it into the convolution or linear layer before or after it, as pocketclip.models.blocks.folding does",
        module_rules.batch_norm_left,
    ),
    Rule(
        "PC003",
        Severity.ERROR,
        "token ids in half precision",
        "half floats are exact for whole numbers to 2048 only: 49406 and 49407 both become 49408, and argmax fails",
        "compare ids as integers and pool the end of text by a product with the one-hot row, as "
        "pocketclip.export.passes.tower_module does",
        graph_rules.half_precision_ids,
    ),
    Rule(
        "PC004",
        Severity.ERROR,
        "64-bit integer input",
        "Core ML and most phone accelerators have no 64-bit integers; apps would convert ids for nothing",
        "export with an int32 example input",
        graph_rules.int64_input,
    ),
    Rule(
        "PC005",
        Severity.ERROR,
        "infinite mask",
        "values below -65504 become -inf in half precision, and a softmax over a row of -inf gives NaN",
        "use a finite mask such as -1e4, as pocketclip.models.blocks.transformer does",
        graph_rules.infinite_mask,
    ),
    Rule(
        "PC006",
        Severity.WARNING,
        "dynamic shape",
        "with open sizes, delegates cannot plan memory and the model does not run on the Neural Engine",
        "export with one fixed shape, batch 1; one file for each size that is needed",
        graph_rules.dynamic_shape,
    ),
    Rule(
        "PC007",
        Severity.ERROR,
        "missing normalisation",
        "the manifest promises embeddings of unit length; with any other length, their cosines are wrong",
        "end the tower with pocketclip.export.passes.tower_module.L2Norm, or export with --raw",
        graph_rules.missing_normalisation,
    ),
    Rule(
        "PC008",
        Severity.ERROR,
        "wrong preprocessing",
        "weights fit the mean, std and resizing that they were trained with: MobileCLIP takes mean 0 and std 1, "
        "OpenAI's CLIP its own; others cost accuracy without any error",
        "take the preprocessing of the registered model or of OpenCLIP's pretrained tag; do not --set it",
        artifact_rules.wrong_preprocessing,
    ),
    Rule(
        "PC009",
        Severity.WARNING,
        "heavy op outside the delegate",
        "convolutions and products that XNNPACK does not take run in the runtime's own, much slower kernels, and "
        "values are copied there and back. For LiteRT, the interpreter on this computer reports which ops its delegate "
        "takes",
        "write the op in a form that the delegate takes, or keep it in another precision",
        graph_rules.undelegated_heavy_op,
    ),
    Rule(
        "PC010",
        Severity.WARNING,
        "weights stored twice",
        "equal constants of 4 KB or more at different places make the file larger for nothing",
        "share the parameter in the module, or let one constant be read by both ops",
        graph_rules.weights_stored_twice,
    ),
    Rule(
        "PC011",
        Severity.WARNING,
        "large download",
        "users are asked or advised before such a download, or the file does not fit an app's base module",
        "quantise (int8-weights, palette4), take a smaller model, or deliver it as an asset pack after installation",
        artifact_rules.over_download_limit,
    ),
    Rule(
        "PC012",
        Severity.ERROR,
        "over a store's limit",
        "a store refuses an app with this file",
        "quantise it, take a smaller model, or load it from your own server",
        artifact_rules.over_store_limit,
    ),
    Rule(
        "PC013",
        Severity.ERROR,
        "format too new for the runtime",
        "the oldest runtime that the manifest names refuses the file's version",
        "lower the opset, IR version or deployment target, or name a newer runtime in export.targets.schemes",
        artifact_rules.format_too_new,
    ),
    Rule(
        "PC014",
        Severity.WARNING,
        "quantised first or last layer",
        "the stem sees the pixels and the projection gives the embedding: rounding there reaches everything, and both "
        "are cheap",
        "export with --keep-float stem,projection",
        graph_rules.quantised_end_layer,
    ),
    Rule(
        "PC015",
        Severity.ERROR,
        "manifest does not describe the file",
        "an app allocates inputs and outputs by the manifest",
        "export the artefact again",
        artifact_rules.wrong_description,
    ),
    Rule(
        "PC016",
        Severity.ERROR,
        "input that nothing reads",
        "the output is the same for every image or text, so that all similarities are equal",
        "export the tower again with an example input that reaches the output; the conversion may have folded it away",
        graph_rules.input_is_unused,
    ),
    Rule(
        "PC017",
        Severity.WARNING,
        "double precision",
        "delegates and phones' processors compute in 32 bits or fewer: doubles stay on slow kernels, or are refused",
        "call model.float() before the export",
        graph_rules.double_precision,
    ),
    Rule(
        GPU_REFUSAL,
        Severity.WARNING,
        "not for LiteRT's GPU delegate",
        "with --gpu: what the delegate does not take runs on the processor, with a copy there and back each time, or "
        "the file does not load for the GPU at all",
        "take fp32, which a phone's GPU computes in half precision anyway, or leave the tower on the CPU",
        None,
    ),
    Rule(
        GPU_RESULT,
        Severity.ERROR,
        "LiteRT's GPU delegate computes something else",
        "with --gpu: the artefact's golden inputs give other embeddings there than PyTorch's",
        "leave the tower on the CPU, or export another precision",
        None,
    ),
    Rule(
        "PC020",
        Severity.ERROR,
        "op that Snapdragon's NPU refuses",
        "with --npu, or made for the NPU: the graph falls into pieces there, between which values go to the processor "
        "and back",
        "write the op in the form that the message names",
        npu_rules.refused_op,
    ),
    Rule(
        "PC021",
        Severity.ERROR,
        "too many axes for Snapdragon's NPU",
        "with --npu, or made for the NPU: its ops take values of at most five axes",
        "merge axes that stand beside each other",
        npu_rules.many_axes,
    ),
    Rule(
        "PC022",
        Severity.WARNING,
        "norm or softmax in 8 bits",
        "with --npu, or made for the NPU: their values have wide ranges, and 16-bit ones cost the NPU little",
        "export w8a16-static, or int8-static with --keep-int16 and these modules",
        npu_rules.narrow_norm,
    ),
    Rule(
        "PC023",
        Severity.ERROR,
        "place found at run time",
        "on iPhone 17 Pro, argmax of half floats and rows looked up by topk come out wrong without an error "
        "(coreai-torch issues #116, #115), and topk costs 1.75 ms beside the Neural Engine (#66)",
        "compare and multiply instead, as pocketclip.export.passes.four_axes does with the end of text, or find the "
        "place in the app",
        neural_engine_rules.index_found_at_run_time,
    ),
    Rule(
        "PC024",
        Severity.ERROR,
        "product of two axes before hardswish",
        "the Neural Engine computes it wrong in half precision, the same in four axes right (coreai-torch issue #51)",
        "view the input as (1, 1, m, n) before the product; passes products-in-four-axes and head-as-convolution do",
        neural_engine_rules.flat_product_before_hardswish,
    ),
    Rule(
        "PC025",
        Severity.ERROR,
        "exponential beyond half precision",
        "on the Neural Engine, softplus, mish and log-sum-exp fall to 0 beyond about 10 (coremltools issues #2687, "
        "#2690, #2359; coreai-torch #21, #106)",
        "write max(x, 0) + log(1 + exp(-|x|)), as pass stable-softplus does, or subtract the maximum first",
        neural_engine_rules.unbounded_exponential,
    ),
    Rule(
        "PC026",
        Severity.ERROR,
        "empty value",
        "the app's process ends when such a file is loaded for the GPU or the Neural Engine (coreai-torch issue #68)",
        "leave out the part of length 0 before the export",
        neural_engine_rules.empty_value,
    ),
)

BY_CODE = {rule.code: rule for rule in RULES}
