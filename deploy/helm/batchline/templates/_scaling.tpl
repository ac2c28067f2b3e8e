{{/* (claimed + ready slices) / slots of a line, as PromQL. Every web process gives the same figures, so
that the greatest of all is taken and not their sum. `root`, `component`. */}}
{{- define "batchline.load" -}}
{{- $labels := include "batchline.prometheus.labels" .root -}}
{{- $line := ternary "slow" "fast" (eq .component "slow") -}}
(sum(max by (state, queue) (batchline_slices{state=~"READY|CLAIMED",queue="{{ $line }}"{{ $labels }}})) or vector(0)) / clamp_min(max(batchline_worker_slots{queue="{{ $line }}"{{ $labels }}}) or vector(0), 1)
{{- end -}}

{{/* Batches that have begun or are to begin: while there are any, somebody has to be there. */}}
{{- define "batchline.unfinished" -}}
sum(max by (status, operation) (batchline_batches{status=~"PENDING|RUNNING"{{ include "batchline.prometheus.labels" .root }}})) or vector(0)
{{- end -}}

{{- define "batchline.prometheus.labels" -}}
{{- range $name, $value := .Values.autoscaling.prometheus.labels -}}
,{{ $name }}={{ $value | quote }}
{{- end -}}
{{- end -}}
