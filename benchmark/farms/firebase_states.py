"""The states of a run at Firebase Test Lab, and why one is not valid, as its discovery document lists them."""

from __future__ import annotations

from pocketclip.benchmark.farms.google_answers import TestMatrix
from pocketclip.benchmark.farms.google_errors import ENABLE, ROLES
from pocketclip.models.untrusted.printable import printable_line

WAITING = ("TEST_STATE_UNSPECIFIED", "VALIDATING", "PENDING")
# Of a matrix or of the test on its phone: nothing was measured.
LOST = {
    "ERROR": "the lab's own equipment failed, which costs nothing; run it again",
    "UNSUPPORTED_ENVIRONMENT": "the lab does not have this phone with this version of Android any more; choose another",
    "INCOMPATIBLE_ENVIRONMENT": "the app needs a newer Android; choose another version",
    "INCOMPATIBLE_ARCHITECTURE": "the app has no code for this phone's processor; build it with -Pabi=arm64-v8a",
    "CANCELLED": "somebody cancelled it; run it again",
    "INVALID": "the lab does not take the run",
}

_REBUILD = "build the app again with `pocketclip app build android`"
_OURS = "it is not a run of ours; report it"
# Why a matrix is invalid, and what to do.
INVALID: dict[str, str] = {
    "INVALID_MATRIX_DETAILS_UNSPECIFIED": "run it again",
    "DETAILS_UNAVAILABLE": "see the run in Firebase's console",
    **dict.fromkeys(
        (
            *("MALFORMED_APK", "NO_MANIFEST", "NO_PACKAGE_NAME", "INVALID_PACKAGE_NAME", "NO_CODE_APK"),
            *("TEST_LOOP_INTENT_FILTER_NOT_FOUND", "SCENARIO_NOT_DECLARED", "SCENARIO_LABEL_NOT_DECLARED"),
            *("SCENARIO_LABEL_MALFORMED", "NO_LAUNCHER_ACTIVITY", "TEST_ONLY_APK", "INVALID_APK_PREVIEW_SDK"),
        ),
        _REBUILD,
    ),
    "NO_SIGNATURE": "sign the app: see android_app/README.md",
    **dict.fromkeys(
        ("FORBIDDEN_PERMISSIONS", "DEVICE_ADMIN_RECEIVER"), f"give the app as its sources make it, or {_REBUILD}"
    ),
    "INVALID_INPUT_APK": f"the lab cannot read the app in the bucket; {ROLES}",
    "TEST_QUOTA_EXCEEDED": "run it tomorrow, or move the project to the plan Blaze in Firebase's console",
    "MATRIX_TOO_LARGE": "give fewer artefacts at a time",
    "SERVICE_NOT_ACTIVATED": ENABLE,
    "UNKNOWN_PERMISSION_ERROR": ROLES,
    # Of other kinds of tests.
    **dict.fromkeys(
        (
            *("MALFORMED_TEST_APK", "TEST_SAME_AS_APP", "NO_INSTRUMENTATION", "NO_TEST_RUNNER_CLASS"),
            *("INSTRUMENTATION_ORCHESTRATOR_INCOMPATIBLE", "INVALID_ROBO_DIRECTIVES", "INVALID_RESOURCE_NAME"),
            *(
                "INVALID_DIRECTIVE_ACTION",
                "MALFORMED_XC_TEST_ZIP",
                "BUILT_FOR_IOS_SIMULATOR",
                "NO_TESTS_IN_XC_TEST_ZIP",
            ),
            *("USE_DESTINATION_ARTIFACTS", "TEST_NOT_APP_HOSTED", "PLIST_CANNOT_BE_PARSED", "MALFORMED_IPA"),
            *("MISSING_URL_SCHEME", "MALFORMED_APP_BUNDLE"),
        ),
        _OURS,
    ),
}
_MOST_WORDS = 1500


def fault_words(matrix: TestMatrix, lost: str) -> str:
    """Why a run measured nothing, in a line: its state, the lab's own words, and what to do.

    Args:
        matrix: the run.
        lost: one of `LOST`; empty where the run itself came to its end.
    """
    told = [f"{each.reason} {each.message}".strip() for each in matrix.extendedInvalidMatrixDetails]
    reasons = [each.reason for each in matrix.extendedInvalidMatrixDetails]
    if matrix.invalidMatrixDetails not in reasons:
        reasons.append(matrix.invalidMatrixDetails)
        told.append(matrix.invalidMatrixDetails)
    for details in filter(None, (each.testDetails for each in matrix.testExecutions)):
        told += [details.errorMessage, *details.progressMessages[-1:]]
    state = lost.lower().replace("_", " ") or f"outcome {matrix.outcomeSummary.lower() or 'unknown'}"
    words = ": ".join(filter(None, (state, *told)))[:_MOST_WORDS]
    fix = next((INVALID[each] for each in reasons if each in INVALID), None) or LOST.get(lost)
    return printable_line(f"{words}; {fix}" if fix else words)
