"""Headings, captions, column names and axis titles of the report, by the key that the template and charts use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from commongarden.i18n.language import pgettext

ENGLISH: dict[str, str] = {
    "answer": "What was found",
    "differences": "Differences between arms",
    "differences_axis": "points of test accuracy",
    "differences_axis_balanced_accuracy": "points of balanced test accuracy",
    "differences_axis_log_loss": "nats of log loss on the test part",
    "differences_axis_calibration_error": "points of calibration error on the test part",
    "differences_bar": "The mean difference paired by seed and photo, with its 95 % interval.",
    "differences_bars": "The mean difference paired by seed and photo. The dark bar is its 95 % interval by itself, "
    "the wide pale one the interval adjusted for all contrasts, from which the verdict comes.",
    "differences_right": "Right of 0 the arm named first is better.",
    "differences_left": "Lower is better: left of 0 the arm named first is better.",
    "differences_band": "The shaded band is the margin of {margin} within which a difference counts as none.",
    "differences_colours": "Coloured: established, in the colour of the better arm. Hollow: not established.",
    "differences_caption_one": "The difference between one run of each; right of 0 the arm named first is better. With "
    "one seed no interval can be given.",
    "accuracies": "Test accuracy of each arm",
    "evidence": "The evidence in numbers",
    "evidence_caption": "Differences are the first arm minus the second. Adjusted: Holm's level for all contrasts, "
    "from which the verdict comes. 90 %: inside the margin it says that the arms are equivalent. p: t test of the "
    "difference by itself, then adjusted (Holm). Sign-flip: exact over the seeds, on these photos. Run beats run: the "
    "probability that a new run of the first arm does better than a new run of the second on these photos, over all "
    "pairs of runs. McNemar: between the arms' pooled predictions; it knows the noise of photos only and takes the "
    "runs as given.",
    "contrast": "contrast",
    "difference": "difference",
    "interval_95": "95 %",
    "interval_adjusted": "adjusted",
    "interval_90": "90 %",
    "p_t": "p",
    "p_holm": "p, Holm",
    "p_signflip": "sign-flip p",
    "beats": "run beats run",
    "p_mcnemar": "McNemar p",
    "sd_seed": "between seeds",
    "sd_photo": "between photos",
    "sd_caption": "Between seeds and between photos: standard deviations of the true difference from one seed to the "
    "next and from one photo to the next; the first narrows with more seeds only, the second with more test photos "
    "only.",
    "sd_group": "between groups",
    "sd_group_caption": "Between seeds and between groups: standard deviations of the true difference from one seed to "
    "the next and from one group of photos to the next; the first narrows with more seeds only, the second with more "
    "groups only. McNemar: in its exact form for groups, which change sides as a whole (Durkalski et al. 2003).",
    "standings": "All arms, best first",
    "standings_caption": "Behind the best: the difference to the arm that looks best, paired, each with a 95 % "
    "interval by itself. Probability of being best: by simulating what the means over new seeds and new photos may "
    "be, from the noise estimated for all arms together; it is no test.",
    "behind": "behind the best",
    "probability_best": "probability of being best",
    "metrics": "Beyond accuracy",
    "metrics_caption": "Balanced accuracy weighs every class the same. Log loss: mean cross-entropy in nats, lower is "
    "better. Calibration error: how far stated probability and share of right ones lie apart (expected calibration "
    "error, 15 bins of equal width), lower is better; its interval carries the noise between seeds only.",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "unit_balanced_accuracy": "%",
    "unit_log_loss": "nats",
    "unit_calibration_error": "points",
    "recalls": "Recall of each class",
    "recalls_caption": "Per cent of the class's test photos that were called so, with 95 % intervals; in brackets the "
    "number of those photos.",
    "accuracies_axis": "test accuracy, %",
    "accuracies_caption": "Large dots are means, pale bars their 95 % intervals, small dots single seeds; the dashed "
    "line is always guessing the commonest class.",
    "accuracies_caption_one": "One run of each arm; the dashed line is always guessing the commonest class.",
    "published_caption": " Open diamonds are the published figures.",
    "effects": "What each factor does",
    "interactions": "Interactions",
    "effects_bar": "Each effect with its 95 % interval, adjusted for all effects.",
    "effects_right": "Right of 0 the later level is better.",
    "effects_left": "Lower is better: left of 0 the later level is better.",
    "effects_colours": "Coloured: established. Hollow: not established.",
    "worth": "What each part is worth",
    "worth_part": "part",
    "worth_accuracy": "worth",
    "unit_worth": "points",
    "worth_bar": "The whole network minus the one without the part, with its 95 % interval, adjusted for all parts.",
    "worth_right": "Right of 0 the network is better with it.",
    "worth_left": "Lower is better: left of 0 the network is better with it.",
    "worth_caption": "Each part is taken out or swapped wherever it stands, and nothing takes its place, so that the "
    "layers behind it shrink too; parts need not add up. Training seconds are paired by seed and carry whatever else "
    "the machine did; their intervals are those of the seeds alone.",
    "terms": "What is equal, what differs",
    "terms_equal": "Equal for all arms",
    "terms_differs": "Different, as computed from the networks",
    "terms_nothing": "There is no contrast whose arms could differ.",
    "terms_declared": "Declared, each arm's own:",
    "terms_hash": "Fingerprint of these terms, kept in contract.json:",
    "table": "The comparison",
    "table_caption": "Means over the finished seeds, geometric for times, rates and memory, with 95 % "
    "intervals below where there are two or more. A MAC is one multiply-add (FLOPs = 2 × MACs), counted for one "
    "photo. Inference is one photo at a time. Memory is the peak of the training process, torch itself included.",
    "scroll": "table, scrolls sideways",
    "arm": "arm",
    "seeds": "seeds",
    "test_accuracy": "test accuracy",
    "published": "published",
    "seconds": "training",
    "images_per_second": "training",
    "inference_ms": "inference",
    "peak_memory_mb": "memory",
    "model_mb": "size",
    "n_params": "parameters",
    "macs": "MACs",
    "unit_test_accuracy": "%",
    "unit_published": "%",
    "unit_seconds": "s",
    "unit_images_per_second": "images/s",
    "unit_inference_ms": "ms",
    "unit_peak_memory_mb": "MB",
    "unit_model_mb": "MB",
    "published_source": "Published figures:",
    "race": "Where the seeds were spent",
    "race_contrast": "what was settled",
    "race_interval": "difference at its last look",
    "race_level": "level of its interval",
    "curves": "Learning curves",
    "curves_caption": "Heavy lines are means over the finished seeds, thin lines single seeds. Training figures are "
    "gathered while the weights still move, validation figures at the end of each epoch; times are those that training "
    "and validation had taken by then. Dashed grey: always guessing the commonest class.",
    "train_accuracy": "training accuracy, %",
    "val_accuracy": "validation accuracy, %",
    "train_loss": "training loss, nats",
    "val_loss": "validation loss, nats",
    "epoch": "epoch",
    "seed": "seed",
    "legend": "Arms; press one to bring it forward",
    "lr_curve": "Learning rate",
    "over_time": "Validation accuracy over time, %",
    "cost": "What accuracy costs",
    "cost_caption": "Test accuracy and cost of each model, with 95 % intervals in both directions. The thin line joins "
    "the models that no other model beats in both, judged by the means. Times and memory depend on the machine. Memory "
    "is the peak of the whole training process on a CPU, PyTorch's own few hundred MB included, and on a CUDA GPU the "
    "peak that PyTorch allocated there.",
    "time_axis": "of training and validation",
    "axis_inference_ms": "ms for one photo",
    "axis_n_params": "parameters",
    "axis_macs": "MACs for one photo",
    "axis_peak_memory_mb": "peak memory of training, MB, PyTorch included",
    "front_seconds": "test accuracy, %, by training time",
    "front_inference_ms": "test accuracy, %, by inference time",
    "front_n_params": "test accuracy, %, by parameters",
    "front_macs": "test accuracy, %, by MACs",
    "front_peak_memory_mb": "test accuracy, %, by memory",
    "budgets": "At equal epochs, equal time, equal multiply-adds",
    "tuned": "Each arm at its own learning rate",
    "tuned_declared": "With the recipes as declared",
    "tuned_best": "Each arm at its best",
    "lr_declared": "declared",
    "lr_best": "best",
    "tuned_caption": "Learning rates, and below them the validation accuracy that was reached.",
    "confusion": "Confusion matrices",
    "confusion_caption": "Per cent of the photos of each true class (rows) that were called this or that class "
    "(columns), mean over the finished seeds.",
    "n_photos": "photos",
    "reliability": "Reliability of the stated probabilities",
    "reliability_caption": "Test photos in ten groups by the probability that the model states for its answer, all "
    "runs of a model together. On the dashed line a model is right as often as it states, below it "
    "less often.",
    "reliability_x": "stated probability, %",
    "reliability_y": "right, %",
    "reliability_n": "photos, all runs",
    "per_class": "Precision, recall and F1 of each class",
    "per_class_caption": "Per cent, over the test photos of all finished runs of a model together.",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "is": "true class",
    "called": "called",
    "share": "share, %",
    "missed": "The photos most often missed",
    "no_thumbnail": "no thumbnail",
    "seen": "What the networks look at",
    "seen_evidence": "Photos on which two arms disagree",
    "seen_evidence_caption": "First the photo as the networks got it, then for each arm what in it speaks for the "
    "class that the arm called: in colour and bright where the evidence lies, grey and dark where there is none "
    "(Grad-CAM, Selvaraju et al. 2017, from the last maps before the head; each by its own greatest value). The "
    "photos are those on which the runs disagree most. A map shows where a network looks, not whether it is right to.",
    "seen_wrong": "wrong",
    "seen_no_map": "no map",
    "seen_map": "The test photos as the networks see them",
    "seen_map_caption": "Each dot is a test photo, placed by the features that the last layer gets from it, along "
    "the two directions in which these spread most (principal components). Colour: its class. A cross with an "
    "edge: called another class. Only the grouping means something, not where a group lies, and not across arms.",
    "seen_kernels": "What the first layer looks for",
    "seen_kernels_caption": "The weights of each kernel as a colour picture; grey is 0, each by its own greatest "
    "weight.",
    "differ": "What differs between the arms",
    "differ_caption": "Computed from the definitions of the two arms; parameters and MACs follow from the rest.",
    "differ_nothing": "Nothing that was declared.",
    "audit": "The networks before training",
    "audit_caption": "Measured at the first weights over a few photos of the training part, one pass in training and "
    "one in evaluation: does the signal come through, does every part get its gradient. A finding is no verdict: what "
    "it costs is seen in the results.",
    "duplicates": "The photos themselves",
    "duplicates_caption": "A contact sheet of the pictures that are there more than once, those under two labels or in "
    "two parts first. Each pair was confirmed by laying one photo over the other; colours are not regarded. Below each "
    "photo: its class and its part.",
    "unusual": "Unusual photos",
    "soil": "The soil all arms grew in",
    "data": "Data",
    "class": "class",
    "train": "train",
    "val": "validation",
    "test": "test",
    "all": "all",
    "left_out": "Left out",
    "left_out_nothing": "Every photo that was found takes part.",
    "none": "none",
    "arms": "Arms",
    "architecture": "architecture",
    "options": "options",
    "recipe": "Recipe",
    "recipe_caption": "Every training choice. An arm's own value is a declared difference.",
    "field": "field",
    "value": "shared value",
    "own": "an arm's own value",
    "split": "Split",
    "runs": "Every run",
    "traceback": "Traceback",
    "status": "status",
    "epoch_tested": "epoch tested",
    "device": "device",
    "started": "started",
    "time_taken": "seconds",
    "made": "How it was made",
    "machine": "Machine",
    "versions": "Versions",
    "command": "Command",
    "hashes": "Fingerprints",
    "hash_data": "data",
    "hash_split": "split",
    "limits": "How far this reaches",
    "last_train_accuracy": "last epoch, training accuracy (%)",
    "last_val_accuracy": "last epoch, validation accuracy (%)",
    "last_train_loss": "last epoch, training loss (nats)",
    "last_val_loss": "last epoch, validation loss (nats)",
    "methods": "Methods",
    "references": "References",
    "against": "against",
    "outcome": "outcome",
    "no_script": "The charts need JavaScript, which is in this file; the table below holds their numbers.",
    "nothing_yet": "No run has finished yet, so there is nothing to show but the plan.",
    "finished": "finished",
    "failed": "failed",
    "seeds_folds": "folds",
    "seed_folds": "fold",
    "differences_bar_folds": "The mean difference paired by fold, with its 95 % interval.",
    "differences_bars_folds": "The mean difference paired by fold. The dark bar is its 95 % interval by itself, the "
    "wide pale one the interval adjusted for all contrasts, from which the verdict comes.",
    "sd_seed_folds": "between folds",
    "accuracies_caption_folds": "Large dots are means, pale bars their 95 % intervals, small dots single folds; the "
    "dashed line is always guessing the commonest class.",
    "table_caption_folds": "Means over the finished folds, geometric for times, rates and memory, with 95 % "
    "intervals below where there are two or more. A MAC is one multiply-add (FLOPs = 2 × MACs), counted for one "
    "photo. Inference is one photo at a time. Memory is the peak of the training process, torch itself included.",
    "curves_caption_folds": "Heavy lines are means over the finished folds, thin lines single folds. Training figures "
    "are gathered while the weights still move, validation figures at the end of each epoch. Dashed grey: always "
    "guessing the commonest class.",
    "time_caption_folds": "First: validation accuracy at the end of each epoch, over the time that training and "
    "validation had taken by then (mean over folds). Second: test accuracy and the whole time, with 95 % intervals "
    "both ways.",
    "confusion_caption_folds": "Per cent of the photos of each true class (rows) that were called this or that class "
    "(columns), mean over the finished folds.",
    "why": "Why arms differ",
    "why_caption": "From what was recorded while the runs were trained. A reason is something that the records show in "
    "the worse arm and not in the better one; it is claimed for established differences only, and it is no proof: an "
    "arm without it would be one.",
    "why_no_difference": "No difference between arms is established, so no reason is looked for.",
    "why_runs": "What the runs show",
    "why_time": "What the seconds can say",
    "map_layers": "layers, first on top",
    "map_activation": "Activations",
    "map_activation_caption": "Root mean square of what each convolution or dense layer puts out.",
    "map_gradient": "Gradients",
    "map_gradient_caption": "Norm of the loss's gradient at the output of each convolution or dense layer, for one "
    "photo.",
    "map_update": "Updates",
    "map_update_caption": "Norm of one step's change of a layer's weights over the norm of the weights.",
    "map_dead": "Dead units",
    "map_dead_caption": "Share of the channels behind each rectifier that are 0 for every photo looked at.",
    "map_distance": "Running statistics behind",
    "map_distance_caption": "Distance of each batch norm's running statistics from those of the batches, in standard "
    "deviations.",
    "maps_caption": "Each row is a layer, each column an epoch; means over the finished runs, recorded on a few steps "
    "of each epoch.",
    "footer": "Made by commongarden from the study's folder. Everything this page shows is in this one file.",
}


class Labels(Mapping[str, str]):
    """Text by key, each looked up in the language in use when it is asked for; the key is the catalogues' context."""

    def __getitem__(self, key: str) -> str:
        return pgettext(key, ENGLISH[key])

    def __iter__(self) -> Iterator[str]:
        return iter(ENGLISH)

    def __len__(self) -> int:
        return len(ENGLISH)


TEXT = Labels()
