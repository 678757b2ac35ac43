"""What a written report may cite: each work once, by a key. Titles stay in the language that they were published in."""

from __future__ import annotations

from collections.abc import Iterable

# key -> (how the text names it, the entry in the list of references)
WORKS: dict[str, tuple[str, str]] = {
    "agarwal": (
        "Agarwal et al. 2021",
        "Agarwal, R., Schwarzer, M., Castro, P. S., Courville, A., & Bellemare, M. G. (2021). Deep reinforcement "
        "learning at the edge of the statistical precipice. NeurIPS 34. arXiv:2108.13264.",
    ),
    "bell": (
        "Bell & McCaffrey 2002",
        "Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with "
        "multi-stage samples. Survey Methodology, 28(2), 169-181.",
    ),
    "bengio": (
        "Bengio & Grandvalet 2004",
        "Bengio, Y., & Grandvalet, Y. (2004). No unbiased estimator of the variance of K-fold cross-validation. "
        "Journal of Machine Learning Research, 5, 1089-1105.",
    ),
    "bouthillier": (
        "Bouthillier et al. 2021",
        "Bouthillier, X., et al. (2021). Accounting for variance in machine learning benchmarks. MLSys 3. "
        "arXiv:2103.03098.",
    ),
    "cameron": (
        "Cameron & Miller 2015",
        "Cameron, A. C., & Miller, D. L. (2015). A practitioner's guide to cluster-robust inference. Journal of Human "
        "Resources, 50(2), 317-372.",
    ),
    "clark": (
        "Clark et al. 2020",
        "Clark, K., Luong, M.-T., Le, Q. V., & Manning, C. D. (2020). ELECTRA: pre-training text encoders as "
        "discriminators rather than generators. ICLR. arXiv:2003.10555.",
    ),
    "fisher": ("Fisher 1935", "Fisher, R. A. (1935). The design of experiments. Oliver & Boyd."),
    "guo": (
        "Guo et al. 2017",
        "Guo, C., Pleiss, G., Sun, Y., & Weinberger, K. Q. (2017). On calibration of modern neural networks. ICML. "
        "arXiv:1706.04599.",
    ),
    "he_init": (
        "He et al. 2015a",
        "He, K., Zhang, X., Ren, S., & Sun, J. (2015a). Delving deep into rectifiers. ICCV. arXiv:1502.01852.",
    ),
    "he": (
        "He et al. 2015b",
        "He, K., Zhang, X., Ren, S., & Sun, J. (2015b). Deep residual learning for image recognition. "
        "arXiv:1512.03385.",
    ),
    "dunnett": (
        "Dunnett 1955",
        "Dunnett, C. W. (1955). A multiple comparison procedure for comparing several treatments with a control. "
        "Journal of the American Statistical Association, 50(272), 1096-1121.",
    ),
    "dunnett_tamhane": (
        "Dunnett & Tamhane 1991",
        "Dunnett, C. W., & Tamhane, A. C. (1991). Step-down multiple tests for comparing treatments with a control "
        "in unbalanced one-way layouts. Statistics in Medicine, 10(6), 939-947.",
    ),
    "hsu": (
        "Hsu 1981",
        "Hsu, J. C. (1981). Simultaneous confidence intervals for all distances from the best. The Annals of "
        "Statistics, 9(5), 1026-1034.",
    ),
    "holm": (
        "Holm 1979",
        "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
        "Statistics, 6(2), 65-70.",
    ),
    "ioffe": (
        "Ioffe & Szegedy 2015",
        "Ioffe, S., & Szegedy, C. (2015). Batch normalization: accelerating deep network training by reducing "
        "internal covariate shift. ICML. arXiv:1502.03167.",
    ),
    "kingma": (
        "Kingma & Ba 2014",
        "Kingma, D. P., & Ba, J. (2014). Adam: a method for stochastic optimization. arXiv:1412.6980.",
    ),
    "krizhevsky": (
        "Krizhevsky 2014",
        "Krizhevsky, A. (2014). One weird trick for parallelizing convolutional neural networks. arXiv:1404.5997.",
    ),
    "lan": (
        "Lan & DeMets 1983",
        "Lan, K. K. G., & DeMets, D. L. (1983). Discrete sequential boundaries for clinical trials. Biometrika, 70(3), "
        "659-663.",
    ),
    "loshchilov_cosine": (
        "Loshchilov & Hutter 2016",
        "Loshchilov, I., & Hutter, F. (2016). SGDR: stochastic gradient descent with warm restarts. arXiv:1608.03983.",
    ),
    "loshchilov": (
        "Loshchilov & Hutter 2017",
        "Loshchilov, I., & Hutter, F. (2017). Decoupled weight decay regularization. arXiv:1711.05101.",
    ),
    "nadeau": (
        "Nadeau & Bengio 2003",
        "Nadeau, C., & Bengio, Y. (2003). Inference for the generalization error. Machine Learning, 52, 239-281.",
    ),
    "pascanu": (
        "Pascanu et al. 2013",
        "Pascanu, R., Mikolov, T., & Bengio, Y. (2013). On the difficulty of training recurrent neural networks. ICML. "
        "arXiv:1211.5063.",
    ),
    "paszke": (
        "Paszke et al. 2019",
        "Paszke, A., et al. (2019). PyTorch: an imperative style, high-performance deep learning library. NeurIPS 32. "
        "arXiv:1912.01703.",
    ),
    "pedregosa": (
        "Pedregosa et al. 2011",
        "Pedregosa, F., et al. (2011). Scikit-learn: machine learning in Python. Journal of Machine Learning Research, "
        "12, 2825-2830.",
    ),
    "prechelt": (
        "Prechelt 1998",
        "Prechelt, L. (1998). Early stopping, but when? In Neural Networks: Tricks of the Trade. Springer.",
    ),
    "polyak": (
        "Polyak & Juditsky 1992",
        "Polyak, B. T., & Juditsky, A. B. (1992). Acceleration of stochastic approximation by averaging. SIAM Journal "
        "on Control and Optimization, 30(4), 838-855.",
    ),
    "satterthwaite": (
        "Satterthwaite 1946",
        "Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics "
        "Bulletin, 2(6), 110-114.",
    ),
    "schuirmann": (
        "Schuirmann 1987",
        "Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for "
        "assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics, "
        "15(6), 657-680.",
    ),
    "simonyan": (
        "Simonyan & Zisserman 2014",
        "Simonyan, K., & Zisserman, A. (2014). Very deep convolutional networks for large-scale image recognition. "
        "arXiv:1409.1556.",
    ),
    "smith": (
        "Smith & Topin 2017",
        "Smith, L. N., & Topin, N. (2017). Super-convergence: very fast training of neural networks using large "
        "learning rates. arXiv:1708.07120.",
    ),
    "srivastava": (
        "Srivastava et al. 2014",
        "Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I., & Salakhutdinov, R. (2014). Dropout: a simple way "
        "to prevent neural networks from overfitting. Journal of Machine Learning Research, 15, 1929-1958.",
    ),
    "student": ("Student 1908", "Student (1908). The probable error of a mean. Biometrika, 6(1), 1-25."),
    "szegedy_2014": (
        "Szegedy et al. 2014",
        "Szegedy, C., et al. (2014). Going deeper with convolutions. arXiv:1409.4842.",
    ),
    "szegedy_2015": (
        "Szegedy et al. 2015",
        "Szegedy, C., Vanhoucke, V., Ioffe, S., Shlens, J., & Wojna, Z. (2015). Rethinking the Inception architecture "
        "for computer vision. arXiv:1512.00567.",
    ),
    "wightman": (
        "Wightman 2019",
        "Wightman, R. (2019). PyTorch image models. https://github.com/huggingface/pytorch-image-models.",
    ),
}


class Citations:
    """The works that a text has named so far."""

    def __init__(self) -> None:
        self._named: dict[str, None] = {}

    def __call__(self, *keys: str) -> str:
        """The works as they stand in the text, parted by semicolons; from now on they are in the list."""
        self._named |= dict.fromkeys(keys)
        return "; ".join(WORKS[key][0] for key in keys)

    def entries(self) -> tuple[str, ...]:
        """The list of references, by name and year."""
        return listed(self._named)


def listed(keys: Iterable[str]) -> tuple[str, ...]:
    """The entries of these works in the order of a list of references."""
    return tuple(sorted((WORKS[key][1] for key in set(keys)), key=str.casefold))
