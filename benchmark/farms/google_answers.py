"""What Google's services answer of Firebase Test Lab: the fields that we use, by their discovery documents' names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, MaxLen

from pocketclip.models.documents import document
from pocketclip.models.untrusted.names import Matching

# They reach addresses.
PROJECT = Matching(r"(?:[a-z0-9.-]{1,60}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", 91, "a project's id")
BUCKET = Matching(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", 222, "a bucket's name")
_Id = Annotated[str, Matching(r"[A-Za-z0-9_.-]+", 200, "an id of letters, digits and _ . -")]
_Text = Annotated[str, MaxLen(16_384)]


@document
class VersionInfo:
    """How many phones of a model the lab has with a version of Android."""

    versionId: _Text
    deviceCapacity: _Text = "DEVICE_CAPACITY_UNSPECIFIED"


@document
class PhoneModel:
    """A model of the catalogue."""

    id: _Id
    name: _Text = ""
    manufacturer: _Text = ""
    form: _Text = ""
    formFactor: _Text = ""
    supportedVersionIds: tuple[_Id, ...] = ()
    supportedAbis: tuple[_Text, ...] = ()
    tags: tuple[_Text, ...] = ()
    perVersionInfo: tuple[VersionInfo, ...] = ()
    accessDeniedReasons: tuple[_Text, ...] = ()


@document
class AndroidVersion:
    """A version of Android of the catalogue."""

    id: _Id
    apiLevel: Annotated[int, Ge(0), Le(10_000)] = 0


@dataclass(frozen=True)
class Catalogue:
    """The phones that there are, and the versions of Android."""

    models: tuple[PhoneModel, ...]
    versions: tuple[AndroidVersion, ...]


@document
class TestDetails:
    """What a test says of its progress."""

    errorMessage: _Text = ""
    progressMessages: tuple[_Text, ...] = ()


@document
class TestExecution:
    """The test on one phone."""

    state: _Text = ""
    testDetails: TestDetails | None = None


@document
class MatrixFault:
    """Why a matrix is not valid."""

    reason: _Text = ""
    message: _Text = ""


@document
class ClientDetail:
    """What we noted with a matrix."""

    key: _Text = ""
    value: _Text = ""


@document
class ClientInfo:
    """Who asked for a matrix."""

    name: _Text = ""
    clientInfoDetails: tuple[ClientDetail, ...] = ()


@document
class CloudFolder:
    """A folder in a bucket."""

    gcsPath: _Text = ""


@document
class ResultStorage:
    """Where a matrix's results are."""

    googleCloudStorage: CloudFolder | None = None


@document
class TestMatrix:
    """A run, on one phone."""

    testMatrixId: _Id
    state: _Text = ""
    outcomeSummary: _Text = ""
    invalidMatrixDetails: _Text = ""
    extendedInvalidMatrixDetails: tuple[MatrixFault, ...] = ()
    testExecutions: tuple[TestExecution, ...] = ()
    clientInfo: ClientInfo | None = None
    resultStorage: ResultStorage | None = None


@document
class Settings:
    """What Test Lab keeps for a project."""

    defaultBucket: Annotated[str, BUCKET] = ""


@document
class History:
    """A list of results."""

    historyId: _Id


@document
class ResultsExecution:
    """A run in a list of results."""

    testExecutionMatrixId: _Id | None = None


@document
class StoredObject:
    """A file in a bucket; Google writes its size as text."""

    name: Annotated[str, MaxLen(1024)]
    size: Annotated[str, Matching(r"[0-9]+", 15, "a number of bytes")]
    md5Hash: Annotated[str, MaxLen(64)] = ""
    updated: Annotated[str, MaxLen(64)] = ""
