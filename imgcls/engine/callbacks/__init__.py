"""fastai callbacks: what a plan asks of training, one behaviour to a class."""
