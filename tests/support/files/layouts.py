"""Folders and CSV files as public data sets have them, with small photos that differ."""

import functools
import io
import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)
UNREAD = {
    ".heic": HEIC,
    ".jxl": b"\xff\x0a" + bytes(64),
    ".psd": b"8BPS\0\1" + bytes(64),
    ".svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    ".raf": b"FUJIFILMCCD-RAW 0201" + bytes(64),
    ".dcm": bytes(128) + b"DICM" + bytes(64),
}


@functools.cache
def drawn(number, kind="PNG"):
    pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


class Folder:
    """A data set that is being laid out; every photo in it is another one."""

    def __init__(self, root):
        self.root, self.n = Path(root), 0

    def photos(self, *folders, n=6, name="{i}.png"):
        for folder in folders:
            for i in range(n):
                self.file(f"{folder}/{name.format(i=i)}", drawn(self.n % 400))
                self.n += 1
        return self

    def file(self, path, data=b"x"):
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.encode() if isinstance(data, str) else data)
        return self


def under(folders, classes):
    return [f"{folder}/{name}" for folder in folders for name in classes]


CLASSES = ("rose", "tulip")


def plain(root):
    Folder(root).photos(*CLASSES)


def parts(root):
    Folder(root).photos(*under(("train", "val", "test"), CLASSES))


def intel(root):
    """Kaggle, Intel Image Classification."""
    Folder(root).photos(*under(("seg_train/seg_train", "seg_test/seg_test"), CLASSES)).photos("seg_pred/seg_pred")


def seg(root):
    Folder(root).photos(*under(("seg_train", "seg_test"), CLASSES))


def training_set(root):
    """Kaggle, cats and dogs."""
    made = Folder(root).photos(*under(("training_set/training_set", "test_set/test_set"), ("cats", "dogs")))
    made.file("training_set/training_set/cats/_DS_Store")


def by_year(root):
    Folder(root).photos(*under(("train2017", "val2017"), CLASSES))


def coco(root):
    made = Folder(root).photos("train2017", "val2017")
    made.file("annotations/instances_train2017.json", "{}")


def yolo(root):
    made = Folder(root).photos("train/images", "valid/images")
    for part in ("train", "valid"):
        for i in range(6):
            made.file(f"{part}/labels/{i}.txt", "0 .5 .5 .1 .1")
    made.file("data.yaml", "names: [rose]")


def roboflow(root):
    made = Folder(root).photos(*under(("train", "valid", "test"), CLASSES))
    made.file("README.dataset.txt").file("README.roboflow.txt")


def roboflow_boxes(root):
    made = Folder(root).photos("train", "valid", "test")
    for part in ("train", "valid", "test"):
        made.file(f"{part}/_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n0.png,8,6,rose,0,0,1,1")


def gtsrb(root):
    """Kaggle, German traffic signs."""
    made = (
        Folder(root).photos(*(f"Train/{i}" for i in range(3)), name="0000{i}_0000{i}.png").photos("Test", "Meta", n=3)
    )
    made.file("Train.csv", "Width,Height,ClassId,Path\n" + "".join(
        f"8,6,{k},Train/{k}/0000{i}_0000{i}.png\n" for k in range(3) for i in range(6)
    ))  # fmt: skip
    made.file("Test.csv", "Width,Height,ClassId,Path\n8,6,0,Test/0.png\n").file("Meta.csv", "Path,ClassId\n")


def gtsrb_official(root):
    Folder(root).photos(*(f"Final_Training/Images/0000{i}" for i in range(3))).photos("Final_Test/Images")


def plantvillage(root):
    Folder(root).photos(*under(("color", "grayscale", "segmented"), ("Apple___scab", "Apple___healthy", "Corn___rust")))


def radiography(root):
    """Kaggle, COVID-19 Radiography: each class has its images and their masks."""
    Folder(root).photos(*under(("COVID", "Normal", "Viral Pneumonia"), ("images", "masks")))


def masks(root):
    Folder(root).photos("images", "masks")


def rps(root):
    """TensorFlow, rock, paper, scissors: the training set's folder has a name of its own."""
    Folder(root).photos(*under(("rps/rps", "rps-test-set/rps-test-set"), CLASSES)).photos("rps-validation")


def new_plant(root):
    """Kaggle, New Plant Diseases: the data set in a folder of its own name, beside photos to try."""
    inside = under(("New Plant(Augmented)/New Plant(Augmented)",), ("train", "valid"))
    Folder(root).photos(*under(inside, CLASSES)).photos("test/test")


def fish(root):
    """Kaggle, a large-scale fish data set: each class has its photos and their masks."""
    Folder(root).photos(*(f"{name}/{name}{suffix}" for name in CLASSES for suffix in ("", " GT")))


def patients(root):
    """Kaggle, breast histopathology: a folder for each patient, the classes inside."""
    Folder(root).photos(*under(("8863", "8864", "8865"), ("0", "1")))


def nested(root):
    Folder(root).photos(*under(("dataset/dataset/train", "dataset/dataset/test"), CLASSES))


def one_level(root):
    Folder(root).photos(*under(("flower_photos",), CLASSES)).file("flower_photos/LICENSE.txt")


def imagenet(root):
    made = Folder(root).photos(*under(("ILSVRC/Data/CLS-LOC/train",), ("n01440764", "n01443537")), name="{i}.JPEG")
    made.photos("ILSVRC/Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/test", name="{i}.JPEG")
    made.file("ILSVRC/Annotations/CLS-LOC/train/n01440764/1.xml").file("ILSVRC/ImageSets/CLS-LOC/train_cls.txt")


def tiny_imagenet(root):
    made = Folder(root).photos("train/n01443537/images", "train/n01629819/images", "val/images", "test/images")
    made.file("val/val_annotations.txt").file("wnids.txt").file("words.txt")


def fruits(root):
    """Kaggle, Fruits-360."""
    made = Folder(root).photos(*under(("fruits-360/Training", "fruits-360/Test"), CLASSES))
    made.photos("fruits-360/test-multiple_fruits", "fruits-360/papers").file("fruits-360/readme.md")


def copied(root):
    """Kaggle, malaria cells: the folder of class folders has them a second time in it."""
    Folder(root).photos(*under((".", "cell_images"), ("Parasitized", "Uninfected")))


def dogs(root):
    """Stanford Dogs."""
    made = Folder(root).photos(*under(("images/Images",), ("n1-Chihuahua", "n2-Pug")))
    made.file("annotations/Annotation/n1-Chihuahua/n1_1", "<annotation/>")


def unlabelled_test(root):
    """Kaggle competitions."""
    made = Folder(root).photos(*under(("train",), CLASSES), n=12).photos("test", n=5)
    made.file("sample_submission.csv", "id,label\n0,rose\n")


def words_in_names(root):
    """Kaggle, Dogs vs. Cats."""
    made = Folder(root).photos("train", name="cat.{i}.png").photos("train", name="dog.{i}.png")
    made.photos("test")


def breeds(root):
    """Kaggle, dog breed identification: a CSV beside photos without class folders."""
    made = Folder(root).photos("train", "test", name="a{i}.png")
    made.file("labels.csv", "id,breed\n" + "".join(f"a{i},{'pug' if i % 2 else 'boxer'}\n" for i in range(6)))


def years_inside(root):
    Folder(root).photos(*under(CLASSES, ("2019", "2020")))


def near_names(root):
    Folder(root).photos("rose", "Rose", "daisy", "daisy ", n=4)


def unicode_forms(root):
    Folder(root).photos(*(unicodedata.normalize(form, "café") for form in ("NFC", "NFD")), "rose", n=4)


def one_class_unread(root):
    made = Folder(root).photos("rose", "tulip", "daisy", n=20)
    for i in range(6):
        made.file(f"peony/{i}.jxl", UNREAD[".jxl"])


def half_unread(root, ending=".psd"):
    made = Folder(root).photos("rose", "tulip", n=6)
    for i in range(6):
        for label in CLASSES:
            made.file(f"{label}/more{i}{ending}", UNREAD[ending])


def lacks_val(root):
    Folder(root).photos(*under(("train", "test"), CLASSES), "val/rose", n=8)


def only_in_test(root):
    Folder(root).photos(*under(("train", "val"), CLASSES), *under(("test",), (*CLASSES, "daisy")), n=8)


def numbered(root, name):
    """`name` with {g} and {i}: four groups of three photos in each class."""
    made = Folder(root)
    for k, label in enumerate(CLASSES):
        for g in range(4):
            for i in range(3):
                made.file(f"{label}/{name.format(g=4 * k + g, i=i)}", drawn(12 * k + 3 * g + i))


RECOGNIZED = (plain, parts, intel, seg, training_set, by_year, roboflow, gtsrb, gtsrb_official, nested, one_level,
              imagenet, tiny_imagenet, fruits, dogs, unlabelled_test, years_inside, rps, new_plant)  # fmt: skip
ASKED = (plantvillage, radiography, masks, patients, copied)
REFUSED = (coco, yolo, roboflow_boxes, words_in_names, breeds)
