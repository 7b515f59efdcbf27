"""The dual-branch network: backbones, metadata branch, manifest, prediction, heat maps. Keras is imported lazily."""
