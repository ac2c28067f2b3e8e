{{/* A Deployment of workers: `root`, `component`, `values` and `shell`, as a pod has them. */}}
{{- define "batchline.worker" -}}
{{- $env := include "batchline.settings" .root | fromYaml -}}
{{- $env = merge $env (dict "WORKER_STOP_SECONDS" .values.stopSeconds "WORKER_MEMORY_MIB" .values.memoryMib) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "batchline.metadata" . | nindent 2 }}
spec:
  {{- if eq .values.autoscaling.kind "none" }}
  replicas: {{ .values.replicas }}
  {{- end }}
  # One that ends at once (its handlers cannot be imported) stops the rollout.
  minReadySeconds: 15
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels:
      {{- include "batchline.selector" . | nindent 6 }}
  template:
    {{- include "batchline.pod" (merge (dict
        "account" (include "batchline.account" .root)
        "secret" (include "batchline.secret" .root)
        "secrets" (include "batchline.secrets" . | fromYaml).list
        "env" $env
        "spool" .values.spoolSize
        "grace" (add (ceil .values.stopSeconds) 10)
        "more" (include "batchline.worker.more" .)) .) | nindent 4 }}
{{- end -}}

{{- define "batchline.worker.more" }}
{{- if .values.livenessProbe -}}
livenessProbe:
  exec:
    command:
      - sh
      - -c
      - celery -A workers.celery inspect ping --timeout 5 2>/dev/null | grep -q "@$(hostname)"
  initialDelaySeconds: 30
  periodSeconds: 60
  failureThreshold: 3
  timeoutSeconds: 20
{{- end }}
{{- end -}}
