"""XQueue on Kubernetes: a kustomize base, components, an example of an overlay, and what makes its secrets."""
