"""Headings, captions, column names and axis titles of the report, by the key that the template and charts use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from commongarden.i18n.language import pgettext

ENGLISH: dict[str, str] = {
    "answer": "Answer",
    "contents": "Contents",
    "comparisons": "Comparisons",
    "differences": "Differences between models",
    "differences_axis": "points of test accuracy",
    "differences_axis_balanced_accuracy": "points of balanced test accuracy",
    "differences_axis_log_loss": "nats of log loss on the test set",
    "differences_axis_calibration_error": "points of calibration error on the test set",
    "differences_bar": "Mean difference on the same images, with its 95 % confidence interval.",
    "differences_bars": "Mean difference on the same images. Dark bar: its own 95 % confidence interval. "
    "Pale bar: the "
    "interval adjusted for all comparisons, which decides.",
    "differences_right": "Right of 0 the first model is better.",
    "differences_left": "Lower is better: left of 0 the first model is better.",
    "differences_band": "Shaded: the equivalence margin of {margin}.",
    "differences_colours": "Filled in the colour of the better model: significant. Hollow: not significant.",
    "differences_caption_one": "Difference between one run of each; right of 0 the first model is better. With one "
    "seed there is no "
    "confidence interval.",
    "accuracies": "Test accuracy",
    "evidence": "Statistics",
    "evidence_caption": "First model minus second. Adjusted: at Holm's level for all comparisons, which decides. "
    "Equivalence: two one-sided tests, at Holm's level too (90 % for one comparison); inside the margin it shows "
    "equivalence. p: t test of the difference alone, then adjusted (Holm). Sign-flip, permutation: exact over the "
    "seeds, on these images. Single run: probability that a new run of the first model beats a new "
    "run of the second on these images, over all pairs of runs. McNemar: between the pooled predictions; it "
    "accounts for test-set variation only.",
    "evidence_caption_dunnett": "First model minus second. Adjusted: at the level of Dunnett's procedure for all "
    "comparisons with the reference, which decides. Equivalence: two one-sided tests at Holm's level (90 % for one "
    "comparison); inside the margin it shows equivalence. p: t test of the difference alone, with the seed variance of "
    "all comparisons, then adjusted (Dunnett). Sign-flip, permutation: exact over the "
    "seeds, on these images. Single run: probability that a new run of the first model beats a new run of the second "
    "on these images, over all pairs of runs. McNemar: between the pooled predictions; it accounts for test-set "
    "variation only.",
    "chances_caption": "Worse, equivalent, better: probabilities that the true difference is below minus the margin, "
    "within the margin, above it, from the simulation of the ranking below, which takes networks to differ by 3 points "
    "(standard deviation) before anything is seen; they are not a test.",
    "contrast": "comparison",
    "difference": "difference",
    "interval_95": "95 %",
    "interval_adjusted": "adjusted",
    "interval_90": "equivalence",
    "p_t": "p",
    "p_holm": "p, Holm",
    "p_dunnett": "p, Dunnett",
    "p_signflip": "sign-flip p",
    "p_permutation": "permutation p",
    "beats": "single run",
    "chances": "worse / equivalent / better",
    "p_mcnemar": "McNemar p",
    "sd_seed": "between seeds",
    "sd_photo": "between images",
    "sd_caption": "Between seeds, between images: standard deviations of the true difference. More seeds reduce "
    "the first "
    "only, more test images the second only.",
    "sd_group": "between groups",
    "sd_group_caption": "Between seeds, between groups: standard deviations of the true difference. More seeds "
    "reduce the first "
    "only, more groups of images the second only. McNemar: in its exact form for groups, which change sides as"
    " a whole (Durkalski et al. 2003).",
    "standings": "Ranking",
    "standings_caption": "Behind the best: paired difference to the model with the best mean, each with its own 95 "
    "% interval "
    "(exploratory: not adjusted). Probability of being best: by simulation of the means over new seeds and "
    "images, from the variation estimated for all models together; it is not a test.",
    "behind": "behind the best",
    "probability_best": "probability of being best",
    "metrics": "Other metrics",
    "metrics_caption": "Balanced accuracy weighs all classes equally. Log loss: mean cross-entropy in nats, lower "
    "is better. "
    "Calibration error: expected calibration error with 15 bins of equal width, lower is better; its interval "
    "accounts for seed variation only.",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "unit_balanced_accuracy": "%",
    "unit_log_loss": "nats",
    "unit_calibration_error": "points",
    "recalls": "Recall of each class",
    "recalls_caption": "Recall in per cent, with 95 % confidence intervals; in brackets the number of test images.",
    "accuracies_axis": "test accuracy, %",
    "accuracies_caption": "Large dots: means, with 95 % confidence intervals; small dots: single seeds. Dashed "
    "line: majority-class "
    "baseline.",
    "accuracies_caption_one": "One run of each model. Dashed line: majority-class baseline.",
    "published_caption": " Open diamonds: published figures.",
    "effects": "Effects of the factors",
    "interactions": "Interactions",
    "effects_bar": "Each effect with its 95 % confidence interval, adjusted for all effects.",
    "effects_right": "Right of 0 the later level is better.",
    "effects_left": "Lower is better: left of 0 the later level is better.",
    "effects_colours": "Filled: significant. Hollow: not significant.",
    "worth": "Contribution of each part",
    "worth_part": "part",
    "worth_accuracy": "contribution",
    "unit_worth": "points",
    "worth_bar": "The whole network minus the one without the part, with its 95 % confidence interval, adjusted "
    "for all "
    "parts.",
    "worth_right": "Right of 0 the network is better with it.",
    "worth_left": "Lower is better: left of 0 the network is better with it.",
    "worth_caption": "Each part is removed or replaced wherever it occurs, with nothing in its place, so the "
    "layers after it "
    "shrink too; contributions need not add up. Training seconds are paired by seed and include the load of "
    "the machine; their intervals account for seed variation only.",
    "terms": "What is equal, what differs",
    "terms_equal": "Equal for all models",
    "terms_differs": "Different, computed from the networks",
    "terms_nothing": "There is no comparison whose models could differ.",
    "terms_declared": "Declared for one model only:",
    "terms_hash": "Hash of these conditions, stored in contract.json:",
    "table": "Results",
    "table_caption": "Means over the finished seeds (geometric for times, rates and memory), with 95 % confidence "
    "intervals "
    "from two seeds on. MACs: multiply-adds for one image (FLOPs = 2 × MACs). Inference: one image at a time. "
    "Memory: peak of the training process, PyTorch included.",
    "scroll": "table, scrolls sideways",
    "arm": "model",
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
    "race": "Added seeds",
    "race_contrast": "comparison settled",
    "race_interval": "difference at its last analysis",
    "race_level": "level of its interval",
    "curves": "Learning curves",
    "curves_caption": "Heavy lines: means over the finished seeds; thin lines: single seeds. Training figures are "
    "collected "
    "during the epoch, validation figures at its end; times include training and validation. Dashed grey: "
    "majority-class baseline.",
    "train_accuracy": "training accuracy, %",
    "val_accuracy": "validation accuracy, %",
    "train_loss": "training loss, nats",
    "val_loss": "validation loss, nats",
    "epoch": "epoch",
    "seed": "seed",
    "legend": "Models; select one to highlight it",
    "lr_curve": "learning rate",
    "over_time": "Validation accuracy over time, %",
    "cost": "Accuracy and cost",
    "cost_caption": "Test accuracy and cost of each model, with 95 % confidence intervals. The thin line joins the "
    "models on the Pareto front of the means. Times and memory depend on the machine. Memory is the peak of the whole "
    "training process on a CPU, PyTorch's own few hundred MB included, and on a CUDA GPU the peak that PyTorch "
    "allocated there.",
    "time_axis": "of training and validation",
    "axis_inference_ms": "ms per image",
    "axis_n_params": "parameters",
    "axis_macs": "MACs per image",
    "axis_peak_memory_mb": "peak memory of training, MB, PyTorch included",
    "front_seconds": "test accuracy, %, by training time",
    "front_inference_ms": "test accuracy, %, by inference time",
    "front_n_params": "test accuracy, %, by parameters",
    "front_macs": "test accuracy, %, by MACs",
    "front_peak_memory_mb": "test accuracy, %, by memory",
    "budgets": "Equal budgets",
    "tuned": "Tuned learning rates",
    "tuned_declared": "With the settings as declared",
    "tuned_best": "Each model at its best",
    "lr_declared": "declared",
    "lr_best": "best",
    "tuned_caption": "Learning rates, and below them the validation accuracy reached.",
    "confusion": "Confusion matrices",
    "confusion_caption": "Per cent of the images of each true class (rows) that were predicted as each class "
    "(columns), mean over "
    "the finished seeds.",
    "n_photos": "images",
    "reliability": "Reliability diagram",
    "reliability_caption": "Test images in ten bins by the predicted probability of the predicted class, pooled over "
    "the runs of a model. On the dashed line, accuracy equals the predicted probability; below it, the model is "
    "overconfident.",
    "reliability_x": "predicted probability, %",
    "reliability_y": "accuracy, %",
    "reliability_n": "images, all runs",
    "per_class": "Precision, recall and F1 by class",
    "per_class_caption": "Per cent, pooled over the test images of all finished runs of a model.",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "is": "true class",
    "called": "predicted class",
    "share": "share, %",
    "missed": "Most often misclassified",
    "no_thumbnail": "no thumbnail",
    "seen": "Grad-CAM and features",
    "seen_evidence": "Images on which two models disagree",
    "seen_evidence_caption": "The image as the networks get it, then for each model the evidence for the class "
    "that it predicted, as heat on the grey image: purple is weak, orange strong, yellow strongest (Grad-CAM, "
    "Selvaraju et al. 2017, from the last feature maps; each scaled by its own maximum). These are the images on "
    "which the runs disagree most. A map shows where a network finds evidence, not whether that is right.",
    "seen_wrong": "wrong",
    "seen_no_map": "no map",
    "seen_map": "Test images in feature space",
    "seen_map_caption": "Each dot is a test image, placed by the first two principal components of the features "
    "before the last "
    "layer. Colour: true class. Cross: misclassified. Only the grouping within one model has a meaning.",
    "seen_kernels": "Kernels of the first layer",
    "seen_kernels_caption": "Weights of each kernel as a colour image; grey is 0, each scaled by its own largest "
    "weight.",
    "differ": "Differences between the models",
    "differ_caption": "Computed from the definitions of the two models; parameters and MACs follow from the rest.",
    "differ_nothing": "No declared difference.",
    "audit": "Networks at initialization",
    "audit_caption": "Measured with the initial weights on a few training images, in training and in evaluation "
    "mode: signal "
    "propagation, and gradients in every part. A finding is a warning; its cost shows in the results.",
    "duplicates": "Duplicates and unusual images",
    "duplicates_caption": "Contact sheet of duplicates, those under two labels or in two sets first. Each pair was "
    "confirmed by "
    "aligning one image with the other; colours are ignored. Below each image: its class and its set.",
    "unusual": "Unusual images",
    "soil": "Experimental setup",
    "data": "Data",
    "augmented": "Data augmentation: what the networks see",
    "augmented_caption": "Training images at the size of training, each beside three versions made by this study's "
    "augmentation ({kinds}). Every epoch makes new ones.",
    "augmented_one": "{path}, augmented, version {n}",
    "class": "class",
    "train": "train",
    "val": "validation",
    "test": "test",
    "all": "all",
    "left_out": "Excluded",
    "left_out_nothing": "All images found are used.",
    "none": "none",
    "arms": "Models",
    "architecture": "architecture",
    "options": "options",
    "recipe": "Training settings",
    "recipe_caption": "All training settings. A value for one model only is a declared difference.",
    "field": "field",
    "value": "shared value",
    "own": "for one model only",
    "split": "Split",
    "runs": "Runs",
    "traceback": "Traceback",
    "status": "status",
    "epochs": "epochs",
    "epoch_tested": "epoch tested",
    "device": "device",
    "started": "started",
    "time_taken": "seconds",
    "made": "Runs and environment",
    "machine": "Machine",
    "versions": "Versions",
    "command": "Command",
    "hashes": "Hashes",
    "hash_data": "data",
    "hash_split": "split",
    "sensitivity": "Assumptions and sensitivity",
    "seed_left_out": "one seed left out",
    "same_conclusion": "same conclusion",
    "if_paired": "paired by seed",
    "if_not_paired": "not paired by seed",
    "bootstrap": "bootstrap",
    "limits": "Limitations",
    "last_train_accuracy": "last epoch, training accuracy (%)",
    "last_val_accuracy": "last epoch, validation accuracy (%)",
    "last_train_loss": "last epoch, training loss (nats)",
    "last_val_loss": "last epoch, validation loss (nats)",
    "methods": "Methods",
    "references": "References",
    "against": "against",
    "outcome": "outcome",
    "no_script": "The charts need JavaScript (included in this file); the table below has the numbers.",
    "nothing_yet": "No run has finished yet.",
    "finished": "finished",
    "failed": "failed",
    "seeds_folds": "folds",
    "seed_folds": "fold",
    "differences_bar_folds": "Mean difference, paired by fold, with its 95 % confidence interval.",
    "differences_bars_folds": "Mean difference, paired by fold. Dark bar: its own 95 % confidence interval. Pale "
    "bar: the interval "
    "adjusted for all comparisons, which decides.",
    "sd_seed_folds": "between folds",
    "accuracies_caption_folds": "Large dots: means, with 95 % confidence intervals; small dots: single folds. "
    "Dashed line: majority-class "
    "baseline.",
    "table_caption_folds": "Means over the finished folds (geometric for times, rates and memory), with 95 % "
    "confidence intervals "
    "from two folds on. MACs: multiply-adds for one image (FLOPs = 2 × MACs). Inference: one image at a time. "
    "Memory: peak of the training process, PyTorch included.",
    "curves_caption_folds": "Heavy lines: means over the finished folds; thin lines: single folds. Training "
    "figures are collected "
    "during the epoch, validation figures at its end. Dashed grey: majority-class baseline.",
    "time_caption_folds": "First: validation accuracy at the end of each epoch, over the time that training and "
    "validation had taken by then (mean over folds). Second: test accuracy and the whole time, with 95 % intervals "
    "both ways.",
    "confusion_caption_folds": "Per cent of the images of each true class (rows) that were predicted as each class "
    "(columns), mean over "
    "the finished folds.",
    "why": "Why models differ",
    "why_caption": "From measurements recorded during training. A reason is something that the records show in the "
    "worse model and not in the better one. Reasons are given for significant differences only. They are not "
    "proof: to test one, train a variant without it.",
    "why_no_difference": "No difference between models is significant, so no reasons are given.",
    "why_runs": "Observations",
    "why_maps": "Heat maps: activations, gradients and updates by layer and epoch",
    "why_time": "How reliable are the timings?",
    "map_layers": "layers, first on top",
    "map_activation": "Activations",
    "map_activation_caption": "Root mean square of the output of each convolution or dense layer.",
    "map_gradient": "Gradients",
    "map_gradient_caption": "Norm of the gradient of the loss at the output of each convolution or dense layer, "
    "per image.",
    "map_update": "Updates",
    "map_update_caption": "Norm of the weight update of one step over the norm of the weights.",
    "map_dead": "Dead units",
    "map_dead_caption": "Share of the channels after each ReLU that are 0 for all recorded images.",
    "map_distance": "Lag of running statistics",
    "map_distance_caption": "Distance of the running statistics of each batch norm from those of the batches, in "
    "standard deviations.",
    "maps_caption": "Rows: layers; columns: epochs. Means over the finished runs, recorded on a few steps of each "
    "epoch.",
    "footer": "Generated by commongarden. This file contains everything that the page shows.",
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
