"""The Helm chart: rendered by helm itself, its objects held against Kubernetes' own schemas."""
