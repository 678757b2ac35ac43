"""Headings, captions, column names and axis titles of the report, by the key that the template and charts use."""

from __future__ import annotations

TEXT: dict[str, str] = {
    "answer": "What was found",
    "differences": "Differences between arms",
    "differences_axis": "points of test accuracy",
    "differences_caption": "The mean difference paired by seed, with its 95 % interval; right of 0 the arm named first "
    "is better. Coloured: established, in the colour of the better arm. Hollow: not established.",
    "differences_caption_one": "The difference between one run of each; right of 0 the arm named first is better. With "
    "one seed no interval can be given.",
    "accuracies": "Test accuracy of each arm",
    "accuracies_axis": "test accuracy, %",
    "accuracies_caption": "Large dots are means, pale bars their 95 % intervals, small dots single seeds; the dashed "
    "line is always guessing the commonest class.",
    "accuracies_caption_one": "One run of each arm; the dashed line is always guessing the commonest class.",
    "published_caption": " Open diamonds are the published figures.",
    "effects": "What each factor does",
    "interactions": "Interactions",
    "effects_caption": "Each effect with its 95 % interval, corrected for all effects; right of 0 the later level is "
    "better. Coloured: established. Hollow: not established.",
    "terms": "What is equal, what differs",
    "terms_equal": "Equal for all arms",
    "terms_differs": "Different, as computed from the networks",
    "terms_nothing": "There is no contrast whose arms could differ.",
    "terms_declared": "Declared, each arm's own:",
    "terms_hash": "Fingerprint of these terms, kept in contract.json:",
    "table": "The comparison",
    "table_caption": "Means over the finished seeds, with 95 % intervals below where there are two or more. A MAC is "
    "one multiply-add (FLOPs = 2 × MACs), counted for one photo. Inference is one photo at a time. Memory is the peak "
    "of the training process, torch itself included.",
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
    "curves": "Learning curves",
    "curves_caption": "Heavy lines are means over the finished seeds, thin lines single seeds. Training figures are "
    "gathered while the weights still move, validation figures at the end of each epoch. Dashed grey: always guessing "
    "the commonest class.",
    "train_accuracy": "training accuracy, %",
    "val_accuracy": "validation accuracy, %",
    "train_loss": "training loss, nats",
    "val_loss": "validation loss, nats",
    "epoch": "epoch",
    "seed": "seed",
    "legend": "Arms; press one to bring it forward",
    "time": "Accuracy against time",
    "time_caption": "First: validation accuracy at the end of each epoch, over the time that training and validation "
    "had taken by then (mean over seeds). Second: test accuracy and the whole time, with 95 % intervals both ways.",
    "time_axis": "of training and validation",
    "time_test": "test accuracy, %",
    "confusion": "Confusion matrices",
    "confusion_caption": "Per cent of the photos of each true class (rows) that were called this or that class "
    "(columns), mean over the finished seeds.",
    "is": "true class",
    "called": "called",
    "share": "share, %",
    "missed": "The photos most often missed",
    "no_thumbnail": "no thumbnail",
    "differ": "What differs between the arms",
    "differ_caption": "Computed from the definitions of the two arms; parameters and MACs follow from the rest.",
    "differ_nothing": "Nothing that was declared.",
    "audit": "The networks before training",
    "audit_caption": "Measured at the first weights over a few photos of the training part, one pass in training and "
    "one in evaluation: does the signal come through, does every part get its gradient. A finding is no verdict: what "
    "it costs is seen in the results.",
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
    "no_script": "The charts need JavaScript, which is in this file; the table below holds their numbers.",
    "nothing_yet": "No run has finished yet, so there is nothing to show but the plan.",
    "finished": "finished",
    "failed": "failed",
    "seeds_folds": "folds",
    "seed_folds": "fold",
    "differences_caption_folds": "The mean difference paired by fold, with its 95 % interval; right of 0 the arm named "
    "first is better. Coloured: established, in the colour of the better arm. Hollow: not established.",
    "accuracies_caption_folds": "Large dots are means, pale bars their 95 % intervals, small dots single folds; the "
    "dashed line is always guessing the commonest class.",
    "table_caption_folds": "Means over the finished folds, with 95 % intervals below where there are two or more. A "
    "MAC is one multiply-add (FLOPs = 2 × MACs), counted for one photo. Inference is one photo at a time. Memory is the "
    "peak of the training process, torch itself included.",
    "curves_caption_folds": "Heavy lines are means over the finished folds, thin lines single folds. Training figures "
    "are gathered while the weights still move, validation figures at the end of each epoch. Dashed grey: always "
    "guessing the commonest class.",
    "time_caption_folds": "First: validation accuracy at the end of each epoch, over the time that training and "
    "validation had taken by then (mean over folds). Second: test accuracy and the whole time, with 95 % intervals "
    "both ways.",
    "confusion_caption_folds": "Per cent of the photos of each true class (rows) that were called this or that class "
    "(columns), mean over the finished folds.",
    "footer": "Made by commongarden from the study's folder. Everything this page shows is in this one file.",
}
