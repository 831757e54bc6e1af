"""Everything that clusterexplain raises or warns about on purpose.

The tree (the class on the right is what callers may already catch)::

    ClusterExplainError
    +-- InvalidDataError            ValueError    the data cannot be explained as they are
    |   +-- NotNumericError         TypeError     ... because some values are no numbers
    +-- InvalidParameterError       ValueError    a parameter is out of its allowed set or range
    |   +-- InvalidTaskError        TypeError     a network of the user's own breaks the contract of a task
    |   +-- InvalidMethodError      TypeError     an influence method of the user's own breaks its contract
    |   +-- InvalidClusteringError  TypeError     a clusterer of the user's own breaks the contract of a clustering
    |   +-- InvalidScoreError       TypeError     a score of the user's own breaks the contract of a score
    +-- DisagreementError           ValueError    the explained score does not tell what the labels tell
    +-- UnknownSampleError          IndexError    no sample has this id
    +-- TrainingDivergedError       ArithmeticError  the loss or the parameters became non-finite
    +-- MemoryBudgetError           MemoryError   the recorded training cannot fit the budget
    +-- MissingExtraError           ImportError   an optional package is not installed
    +-- ReportWriteError            OSError       a page, picture or table could not be written
    +-- RunError
        +-- RunNotFoundError        FileNotFoundError  there is no run where one was looked for
        +-- RunDamagedError         ValueError    a file of the run is missing or changed
        +-- RunMismatchError        ValueError    the run belongs to other data
        +-- RunWriteError           OSError       the run could not be written; nothing was left behind

    ClusterExplainWarning           UserWarning
    +-- InputWarning                what was read is not all that was given, or was read in a way that should be known
    +-- SmoothnessWarning           the recipe makes derivatives less faithful
    +-- DriftWarning                further training leaves the model that arrived
    +-- FewerClustersWarning        there are fewer distinct embeddings than clusters
    +-- AdoptedClustersWarning      the labels of a fitted estimator are not those that it finds in this embedding
    +-- ScoreChoiceWarning          the usual score does not tell what given labels tell: another one was taken
    +-- DisagreementWarning         no score tells what given labels tell; the trained fit is kept, its questions are refused
    +-- DegenerateClustersWarning   no sample of the fit can be explained: clusters coincide, or their members do
    +-- ScaleWarning                a few columns dominate the reconstruction
    +-- SolverWarning               a linear system was not solved as asked for
    +-- ReproductionWarning         replaying the training did not give the saved bytes

Every message says what is wrong, what was expected and what to do next.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parent) + os.sep


class ClusterExplainError(Exception):
    """Base class of all errors that clusterexplain raises on purpose."""


class InvalidDataError(ClusterExplainError, ValueError):
    """The data cannot be explained as they are."""


class NotNumericError(InvalidDataError, TypeError):
    """The data hold values that are not numbers."""


class InvalidParameterError(ClusterExplainError, ValueError):
    """A parameter is outside its allowed set or range."""


class InvalidTaskError(InvalidParameterError, TypeError):
    """A network of the user's own breaks the contract of a task."""


class InvalidMethodError(InvalidParameterError, TypeError):
    """An influence method of the user's own breaks the contract of a Jacobian."""


class InvalidClusteringError(InvalidParameterError, TypeError):
    """A clusterer of the user's own breaks the contract of a clustering."""


class InvalidScoreError(InvalidParameterError, TypeError):
    """A score of the user's own breaks the contract of a score."""


class DisagreementError(ClusterExplainError, ValueError):
    """The explained score does not tell what the labels tell, so its answer would be about other clusters."""


class UnknownSampleError(ClusterExplainError, IndexError):
    """No sample has the requested id."""


class TrainingDivergedError(ClusterExplainError, ArithmeticError):
    """The parameters became non-finite during training."""


class MemoryBudgetError(ClusterExplainError, MemoryError):
    """The recorded training does not fit into the memory budget."""


class MissingExtraError(ClusterExplainError, ImportError):
    """An optional package is needed that is not installed."""


class ReportWriteError(ClusterExplainError, OSError):
    """A page, picture or table could not be written; nothing half-written was left behind."""


class RunError(ClusterExplainError):
    """Base class of errors about a run directory."""


class RunNotFoundError(RunError, FileNotFoundError):
    """There is no run where one was looked for."""


class RunDamagedError(RunError, ValueError):
    """A file of the run is missing, unreadable or not the one that was saved."""


class RunMismatchError(RunError, ValueError):
    """The run belongs to other data than those given."""


class RunWriteError(RunError, OSError):
    """The run could not be written; nothing half-written was left behind."""


class ClusterExplainWarning(UserWarning):
    """Base class of all warnings of clusterexplain."""


class InputWarning(ClusterExplainWarning):
    """Something about the data was decided while they were read: columns left aside, a separator, an encoding."""


class SmoothnessWarning(ClusterExplainWarning):
    """The training recipe is not smooth, so influences predict retraining less well."""


class DriftWarning(ClusterExplainWarning):
    """Further training moves a pretrained model far from where it was."""


class FewerClustersWarning(ClusterExplainWarning):
    """Fewer clusters were found than asked for."""


class AdoptedClustersWarning(ClusterExplainWarning):
    """What was found elsewhere does not fit the embedding: other labels than their algorithm finds, a graph of distances."""


class ScoreChoiceWarning(ClusterExplainWarning):
    """The usual score does not tell what given labels tell, so that another one was taken."""


class DisagreementWarning(ClusterExplainWarning):
    """No score tells what given labels tell; the trained fit is kept, and its questions end with DisagreementError."""


class DegenerateClustersWarning(ClusterExplainWarning):
    """No sample of the fit can be explained; the message says why, and ``explain`` raises it as an error."""


class ScaleWarning(ClusterExplainWarning):
    """Columns of very different scale: a few of them dominate the reconstruction."""


class SolverWarning(ClusterExplainWarning):
    """A linear system was not solved as asked for; the message says how far it got and what to do."""


class ReproductionWarning(ClusterExplainWarning):
    """Replaying the training did not reproduce the saved parameters bit for bit."""


def warn(message: str, category: type[ClusterExplainWarning]) -> None:
    """Issue a warning that names the line of the user's code, however deep inside the package its reason was found.

    Parameters
    ----------
    message : str
        What is wrong, what was expected and what to do next.
    category : type
        One of the warnings of this module.
    """
    frame: FrameType | None = sys._getframe()
    level = 1  # of this function; that of the first frame outside of the package is wanted
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
